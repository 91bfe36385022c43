#include "boot/elf_file.h"

#include <elf.h>

#include <algorithm>
#include <cstring>

#include "boot/bad_file.h"
#include "vmm/model/gpa.h"

namespace carrel::boot {
namespace {

constexpr uint64_t kLargestImage = 4 * kGiB;
constexpr uint16_t kMostHeaders = 128;  // kernels have 3 to 6

// `size` bytes at `offset` lie in `total` bytes.
bool inside(uint64_t offset, uint64_t size, uint64_t total) {
    return offset <= total && size <= total - offset;
}

template <class T>
T copy_at(std::span<const std::byte> bytes, uint64_t offset) {
    T value;
    std::memcpy(&value, bytes.data() + offset, sizeof value);
    return value;
}

std::string machine_name(uint16_t machine) {
    switch (machine) {
        case EM_386: return "32-bit x86";
        case EM_AARCH64: return "aarch64";
        case EM_ARM: return "32-bit Arm";
        case EM_RISCV: return "RISC-V";
        case EM_PPC64: return "64-bit PowerPC";
        case EM_S390: return "s390";
        case EM_MIPS: return "MIPS";
        default: return fmt::format("ELF machine {}", machine);
    }
}

Result<void> check_target(const Elf64_Ehdr& header, const std::string& name) {
    constexpr const char* kAdvice = "carrel runs x86-64 kernels: take one that is built for amd64";
    // e_machine has the same place in both classes, but in the other byte order it isn't readable.
    if (header.e_ident[EI_DATA] != ELFDATA2LSB) {
        return bad_file(name, EI_DATA, "is a big-endian kernel (for s390, PowerPC or the like)", kAdvice);
    }
    if (header.e_machine != EM_X86_64) {
        return bad_file(name, offsetof(Elf64_Ehdr, e_machine),
                        "is a kernel for " + machine_name(header.e_machine), kAdvice);
    }
    if (header.e_ident[EI_CLASS] != ELFCLASS64) {
        return bad_file(name, EI_CLASS, "is a 32-bit ELF file", kAdvice);
    }
    if (header.e_type != ET_EXEC && header.e_type != ET_DYN) {
        return bad_file(name, offsetof(Elf64_Ehdr, e_type),
                        fmt::format("is an ELF file of type {}, not an executable one", header.e_type),
                        "name the linked kernel (vmlinux), not an object file, a module or a core dump");
    }
    return {};
}

Result<void> check_program_headers(const Elf64_Ehdr& header, std::span<const std::byte> head,
                                   const ElfSource& source) {
    if (header.e_phentsize != sizeof(Elf64_Phdr) || header.e_phnum == 0 || header.e_phnum > kMostHeaders) {
        return bad_file(source.name, offsetof(Elf64_Ehdr, e_phentsize),
                        fmt::format("has {} program headers of {} bytes; 1 to {} of {} are expected",
                                    header.e_phnum, header.e_phentsize, kMostHeaders, sizeof(Elf64_Phdr)));
    }
    const uint64_t size = uint64_t{header.e_phnum} * sizeof(Elf64_Phdr);
    if (inside(header.e_phoff, size, std::min<uint64_t>(source.size, head.size()))) return {};
    return bad_file(
        source.name, offsetof(Elf64_Ehdr, e_phoff),
        fmt::format("the program headers at {:#x} ({} bytes) lie outside the file or far from its start",
                    header.e_phoff, size));
}

// Programs ask for the dynamic linker, which is "ld-" something everywhere. Not every PT_INTERP means one:
// FreeBSD's kernel has "/red/herring" there.
Result<void> check_interpreter(const Elf64_Phdr& header, uint64_t at, std::span<const std::byte> head,
                               const ElfSource& source) {
    constexpr uint64_t kLongestPath = 4096;
    if (header.p_type != PT_INTERP || !inside(header.p_offset, header.p_filesz, head.size())) return {};
    const uint64_t size = std::min(header.p_filesz, kLongestPath);
    const std::string_view path(reinterpret_cast<const char*>(head.data() + header.p_offset), size);
    if (path.find("/ld-") == std::string_view::npos) return {};
    return bad_file(source.name, at,
                    "is a program for Linux, not a kernel: it asks for an interpreter (PT_INTERP)",
                    "name a bzImage (vmlinuz) or an ELF kernel (vmlinux)");
}

Result<void> check_segment(const ElfSegment& segment, uint64_t at, const ElfSource& source) {
    if (!inside(segment.offset, segment.file_size, source.size)) {
        return bad_file(source.name, at,
                        fmt::format("a segment takes {:#x} bytes at {:#x}, but the file ends at {:#x}",
                                    segment.file_size, segment.offset, source.size));
    }
    if (segment.mem_size < segment.file_size) {
        return bad_file(source.name, at,
                        fmt::format("a segment has {:#x} bytes in the file and {:#x} in memory",
                                    segment.file_size, segment.mem_size));
    }
    if (segment.mem_size > UINT64_MAX - segment.paddr) {
        return bad_file(source.name, at,
                        fmt::format("a segment at {:#x} with {:#x} bytes wraps around the address space",
                                    segment.paddr, segment.mem_size));
    }
    return {};
}

Result<void> check_disjoint(const ElfFile& elf, const ElfSource& source) {
    for (size_t i = 1; i < elf.segments.size(); ++i) {
        const ElfSegment& a = elf.segments[i - 1];
        const ElfSegment& b = elf.segments[i];
        if (a.paddr + a.mem_size <= b.paddr) continue;
        return bad_file(source.name, offsetof(Elf64_Ehdr, e_phoff),
                        fmt::format("two segments overlap: [{:#x}, {:#x}) and [{:#x}, {:#x})", a.paddr,
                                    a.paddr + a.mem_size, b.paddr, b.paddr + b.mem_size));
    }
    if (elf.image_size() < kLargestImage) return {};
    const ElfSegment& last = elf.segments.back();
    if (last.paddr - elf.lowest() < kLargestImage) {
        return bad_file(
            source.name, last.header_at + offsetof(Elf64_Phdr, p_memsz),
            fmt::format("a segment takes {:#x} bytes of memory (p_memsz), and the image more than "
                        "4 GiB with it",
                        last.mem_size));
    }
    return bad_file(source.name, last.header_at + offsetof(Elf64_Phdr, p_paddr),
                    fmt::format("the image spans {:#x} bytes of physical memory, more than 4 GiB, up to a "
                                "segment at {:#x} (p_paddr)",
                                elf.image_size(), last.paddr),
                    "link the kernel with physical load addresses (AT() in its linker script): more --memory "
                    "doesn't help");
}

uint64_t end_of_headers(const Elf64_Ehdr& header) {
    const uint64_t program = header.e_phoff + uint64_t{header.e_phnum} * sizeof(Elf64_Phdr);
    const uint64_t sections = uint64_t{header.e_shnum} * header.e_shentsize;
    const bool has_sections = header.e_shoff != 0 && sections <= UINT64_MAX - header.e_shoff;
    return std::max(program, has_sections ? header.e_shoff + sections : 0);
}

}  // namespace

bool ElfFile::contains(uint64_t address) const {
    return std::any_of(segments.begin(), segments.end(), [address](const ElfSegment& segment) {
        return address >= segment.paddr && address - segment.paddr < segment.mem_size;
    });
}

bool is_elf(std::span<const std::byte> head) {
    return head.size() >= SELFMAG && std::memcmp(head.data(), ELFMAG, SELFMAG) == 0;
}

Result<ElfFile> parse_elf(std::span<const std::byte> head, const ElfSource& source) {
    if (!is_elf(head)) return bad_file(source.name, 0, "is no ELF file");
    if (head.size() < sizeof(Elf64_Ehdr)) {
        return bad_file(source.name, head.size(), "ends within the ELF header");
    }
    const auto header = copy_at<Elf64_Ehdr>(head, 0);
    TRY(check_target(header, source.name));
    TRY(check_program_headers(header, head, source));
    ElfFile elf;
    elf.entry = header.e_entry;
    elf.end = end_of_headers(header);
    for (uint16_t i = 0; i < header.e_phnum; ++i) {
        const uint64_t at = header.e_phoff + i * sizeof(Elf64_Phdr);
        const auto raw_header = copy_at<Elf64_Phdr>(head, at);
        const ElfSegment segment{raw_header.p_offset, raw_header.p_vaddr, raw_header.p_paddr,
                                 raw_header.p_filesz, raw_header.p_memsz, at};
        TRY(check_interpreter(raw_header, at, head, source));
        if (raw_header.p_type != PT_LOAD && raw_header.p_type != PT_NOTE) continue;
        if (raw_header.p_type == PT_LOAD && segment.mem_size == 0 && segment.file_size == 0) continue;
        TRY(check_segment(segment, at, source));
        elf.end = std::max(elf.end, segment.offset + segment.file_size);
        (raw_header.p_type == PT_LOAD ? elf.segments : elf.notes).push_back(segment);
    }
    if (elf.segments.empty()) return bad_file(source.name, header.e_phoff, "has no segment to load");
    std::sort(elf.segments.begin(), elf.segments.end(),
              [](const ElfSegment& a, const ElfSegment& b) { return a.paddr < b.paddr; });
    TRY(check_disjoint(elf, source));
    return elf;
}

namespace {

constexpr uint32_t kXenPhys32Entry = 18;     // XEN_ELFNOTE_PHYS32_ENTRY
constexpr uint32_t kLinuxBuildSalt = 0x100;  // LINUX_ELFNOTE_BUILD_SALT
constexpr int kMostNotes = 256;

uint64_t padded(uint64_t size) {
    return (size + 3) & ~uint64_t{3};
}

std::string printable(std::span<const std::byte> bytes) {
    std::string text;
    for (const std::byte byte : bytes) {
        const auto c = static_cast<char>(byte);
        if (c < ' ' || c > '~' || text.size() == 80) break;
        text += c;
    }
    return text;
}

struct Note {
    uint32_t type;
    std::string_view owner;
    std::span<const std::byte> value;
    uint64_t value_at;  // in the file
};

void read_note(const Note& note, ElfNotes& notes) {
    if (note.owner == std::string_view("Xen\0", 4) && note.type == kXenPhys32Entry &&
        note.value.size() >= sizeof(uint32_t)) {
        // Linux writes 64 bits there, Xen's own definition has 32.
        const bool wide = note.value.size() >= sizeof(uint64_t);
        const uint64_t address = wide ? copy_at<uint64_t>(note.value, 0) : copy_at<uint32_t>(note.value, 0);
        notes.pvh_entry = ElfNotes::PvhEntry{address, note.value_at};
    }
    if (note.owner == std::string_view("Linux\0", 6) && note.type == kLinuxBuildSalt)
        notes.linux_salt = printable(note.value);
}

// One PT_NOTE: | name size | value size | type | name, padded to 4 | value, padded to 4 | …
void read_note_segment(std::span<const std::byte> file, const ElfSegment& segment, ElfNotes& notes) {
    auto rest = file.subspan(segment.offset, segment.file_size);
    const std::byte* const begin = file.data();
    for (int i = 0; i < kMostNotes && rest.size() >= sizeof(Elf64_Nhdr); ++i) {
        const auto header = copy_at<Elf64_Nhdr>(rest, 0);
        const uint64_t name_size = padded(header.n_namesz);
        const uint64_t value_size = padded(header.n_descsz);
        rest = rest.subspan(sizeof header);
        if (name_size > rest.size() || value_size > rest.size() - name_size) return;
        const std::string_view owner(reinterpret_cast<const char*>(rest.data()), header.n_namesz);
        const auto value = rest.subspan(name_size, header.n_descsz);
        read_note({header.n_type, owner, value, static_cast<uint64_t>(value.data() - begin)}, notes);
        rest = rest.subspan(name_size + value_size);
    }
}

}  // namespace

ElfNotes read_notes(std::span<const std::byte> file, const ElfFile& elf) {
    ElfNotes notes;
    for (const ElfSegment& segment : elf.notes) {
        if (!inside(segment.offset, segment.file_size, file.size())) continue;
        read_note_segment(file, segment, notes);
    }
    return notes;
}

}  // namespace carrel::boot
