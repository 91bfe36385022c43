// Crafted kernel files for the tests of the loaders and the fuzzer's seed corpus: as small as a format
// allows, each field settable.
#pragma once

#include <asm/bootparam.h>
#include <elf.h>

#include <array>
#include <cstdint>
#include <cstring>
#include <string>
#include <vector>

#include "boot/kernel_image.h"
#include "boot/loader.h"

namespace carrel::boot::testing {

using Bytes = std::vector<std::byte>;

template <class T>
void put(Bytes& bytes, size_t at, const T& value) {
    if (bytes.size() < at + sizeof value) bytes.resize(at + sizeof value);
    std::memcpy(bytes.data() + at, &value, sizeof value);
}
template <class T>
T get(const Bytes& bytes, size_t at) {
    T value{};
    if (at + sizeof value <= bytes.size()) std::memcpy(&value, bytes.data() + at, sizeof value);
    return value;
}

inline constexpr uint64_t kLinkBase = 0xffff'ffff'8100'0000;
inline constexpr uint64_t kPhysicalBase = 0x100'0000;

// An ELF64 executable like a vmlinux: segments at 16 MiB, bytes 0x11, 0x22, … in each, section headers last.
struct ElfSpec {
    struct Segment {
        uint64_t paddr, size, mem_size;
        uint64_t gap = 0;  // bytes between it and the one before in the file
    };
    ElfSpec();
    std::vector<Segment> segments;  // one of 0x100 bytes
    uint64_t entry = kPhysicalBase;
    uint32_t pvh_entry = 0;      // 0: no note
    std::vector<uint32_t> tail;  // words behind the end: a relocation table
};
Bytes make_elf(const ElfSpec& spec);
Elf64_Phdr elf_header(const Bytes& elf, size_t index);
void set_elf_header(Bytes& elf, size_t index, const Elf64_Phdr& header);

// How `payload` is packed in a bzImage.
enum class Packing { kNone, kLz4, kZstd, kXz, kGzip, kLzo, kUnknown };
const std::vector<Packing>& known_packings();  // those that this build can unpack
Bytes pack(const Bytes& payload, Packing packing);
// A bzImage of protocol 2.15 around it, with one setup sector.
Bytes make_bzimage(const Bytes& payload, Packing packing);
// The same around a packed stream, which unpacks to `size` bytes.
Bytes make_bzimage_of(Bytes stream, size_t size);
// A zstd frame that asks for a window of 2^`window_log` bytes, in one raw block (RFC 8878, 3.1.1).
Bytes make_zstd_frame(const Bytes& payload, unsigned window_log);
inline constexpr size_t kSetupSize = 1024;
inline constexpr size_t kCodeSize = 0x400;  // of protected-mode code before the payload
// Offset in the file of a field of the setup header.
#define HEADER_FIELD(field) (offsetof(boot_params, hdr) + offsetof(setup_header, field))

// A copy: fields of boot_params may be misaligned, and Catch2 takes references.
template <class T>
T value(T field) {
    return field;
}

// A file in memory, with these bytes.
InputFile make_file(const Bytes& bytes, const std::string& name);

std::unique_ptr<GuestMemory> make_memory(uint64_t size);
// 4 KiB pages of `memory` that anybody has touched.
uint64_t touched_pages(const GuestMemory& memory);

}  // namespace carrel::boot::testing
