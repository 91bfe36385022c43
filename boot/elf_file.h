// ElfFile: the headers of an ELF64 kernel, copied and checked (System V ABI, chapter 4 and 5; elf(5)).
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "vmm/base/result.h"

namespace carrel::boot {

struct ElfSegment {
    uint64_t offset;  // in the file
    uint64_t vaddr, paddr;
    uint64_t file_size, mem_size;  // bytes; what the file doesn't give is zero
    uint64_t header_at = 0;        // its program header, in the file
};

struct ElfFile {
    uint64_t entry = 0;
    std::vector<ElfSegment>
        segments;                   // PT_LOAD with something to load, sorted by paddr, disjoint, at least one
    std::vector<ElfSegment> notes;  // PT_NOTE
    uint64_t end = 0;               // behind everything that the headers name; what follows isn't ELF

    uint64_t lowest() const { return segments.front().paddr; }
    uint64_t image_size() const { return segments.back().paddr + segments.back().mem_size - lowest(); }
    // Whether this is a physical address in the image.
    bool contains(uint64_t address) const;
    bool entry_is_physical() const { return contains(entry); }
};

bool is_elf(std::span<const std::byte> head);

// Where the bytes of an ELF file come from; for messages.
struct ElfSource {
    std::string name;  // "vmlinux", "vmlinuz, unpacked payload"
    uint64_t size;     // of the whole
};

// `head`: the first bytes of the file, up to all of them; the program headers must lie within. Every range
// named is inside the file, every sum fits 64 bits, and the image spans less than 4 GiB.
Result<ElfFile> parse_elf(std::span<const std::byte> head, const ElfSource& source);

// What the notes say of interest to a loader (Linux include/xen/interface/elfnote.h).
struct ElfNotes {
    struct PvhEntry {
        uint64_t address;
        uint64_t at;  // in the file
    };
    std::optional<PvhEntry> pvh_entry;
    std::string linux_salt;  // "6.1.0-…": Debian puts the release there; empty: none
};
ElfNotes read_notes(std::span<const std::byte> file, const ElfFile& elf);

}  // namespace carrel::boot
