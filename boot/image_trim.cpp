#include "boot/image_trim.h"

#include <elf.h>

#include <algorithm>
#include <cstring>
#include <optional>

#include "vmm/model/gpa.h"

namespace carrel::boot {
namespace {

constexpr uint16_t kMostSections = 128;

bool is_large_data(const Elf64_Shdr& section) {
    return section.sh_type == SHT_PROGBITS && (section.sh_flags & SHF_ALLOC) != 0 &&
           section.sh_size >= kHugePageSize;
}

// Where a section of the file is in the image; nothing where it isn't wholly inside one segment.
std::optional<ImageRange> place_of(const ElfFile& elf, const Elf64_Shdr& section) {
    for (const ElfSegment& segment : elf.segments) {
        const uint64_t at = section.sh_offset - segment.offset;  // wraps to a huge number below the segment
        if (at > segment.file_size || section.sh_size > segment.file_size - at) continue;
        return ImageRange{segment.paddr - elf.lowest() + at, section.sh_size};
    }
    return std::nullopt;
}

}  // namespace

std::vector<ImageRange> find_stored_zeros(const ElfFile& elf, std::span<const std::byte> payload,
                                          std::span<const ByteRange> skipped) {
    std::vector<ImageRange> found;
    if (payload.size() < sizeof(Elf64_Ehdr)) return found;
    Elf64_Ehdr header;
    std::memcpy(&header, payload.data(), sizeof header);
    if (header.e_shentsize != sizeof(Elf64_Shdr)) return found;
    for (uint16_t i = 0; i < std::min(header.e_shnum, kMostSections); ++i) {
        const uint64_t at = header.e_shoff + i * sizeof(Elf64_Shdr);
        if (header.e_shoff > payload.size() || at > payload.size() - sizeof(Elf64_Shdr)) return found;
        Elf64_Shdr section;
        std::memcpy(&section, payload.data() + at, sizeof section);
        const auto place = is_large_data(section) ? place_of(elf, section) : std::nullopt;
        const ByteRange stored{section.sh_offset, section.sh_offset + section.sh_size};
        if (place && without_zero_tail(payload, stored, skipped) == 0) found.push_back(*place);
    }
    return found;
}

}  // namespace carrel::boot
