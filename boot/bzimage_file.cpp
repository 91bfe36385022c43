#include "boot/bzimage_file.h"

#include <algorithm>
#include <bit>
#include <cstring>

#include "boot/bad_file.h"
#include "vmm/model/gpa.h"

namespace carrel::boot {
namespace {

// Offsets in the file: boot.rst, "The Real-Mode Kernel Header".
constexpr uint64_t kMagicAt = 0x202;
constexpr uint64_t kJumpOffsetAt = 0x201;  // the header ends at kMagicAt + this byte
constexpr uint32_t kMagic = 0x5372'6448;   // "HdrS"
constexpr uint16_t kLeastProtocol = 0x020c;
constexpr uint64_t kSector = 512;
constexpr uint64_t kReleaseBase = 0x200;
constexpr size_t kLongestRelease = 120;
static_assert(kSetupHeaderAt == 0x1f1);

#define HEADER_OFFSET(field) (kSetupHeaderAt + offsetof(setup_header, field))  // in the file

// Only as much as the file says that its header has (boot.rst: "0x0202 + byte value at offset 0x0201").
setup_header copy_header(std::span<const std::byte> file) {
    const uint64_t end = kMagicAt + static_cast<uint8_t>(file[kJumpOffsetAt]);
    setup_header header;
    std::memset(&header, 0, sizeof header);
    std::memcpy(&header, file.data() + kSetupHeaderAt,
                std::min<uint64_t>({sizeof header, end - kSetupHeaderAt, file.size() - kSetupHeaderAt}));
    return header;
}

Result<void> check_protocol(const setup_header& header, const std::string& name) {
    if (header.version < kLeastProtocol) {
        return bad_file(name, HEADER_OFFSET(version),
                        fmt::format("speaks boot protocol {}.{:02}; the 64-bit entry came with 2.12",
                                    header.version >> 8, header.version & 0xff),
                        "take a kernel of Linux 3.8 or newer");
    }
    if ((header.xloadflags & XLF_KERNEL_64) == 0) {
        return bad_file(name, HEADER_OFFSET(xloadflags), "is a 32-bit x86 kernel (XLF_KERNEL_64 is not set)",
                        "carrel runs x86-64 kernels: take one that is built for amd64");
    }
    return {};
}

// Copies, because the header is packed: a reference to a field of it may be misaligned.
Result<void> check_placement(const setup_header& header, const std::string& name) {
    const uint32_t alignment = header.kernel_alignment;
    const uint64_t preferred = header.pref_address;
    if (!std::has_single_bit(alignment) || alignment < kPageSize) {
        return bad_file(
            name, HEADER_OFFSET(kernel_alignment),
            fmt::format("kernel_alignment is {:#x}, which is no power of two from 4 KiB on", alignment));
    }
    if (preferred % alignment != 0) {
        return bad_file(
            name, HEADER_OFFSET(pref_address),
            fmt::format("pref_address {:#x} is no multiple of kernel_alignment {:#x}", preferred, alignment));
    }
    if (header.init_size == 0) return bad_file(name, HEADER_OFFSET(init_size), "init_size is 0");
    return {};
}

Result<void> find_payload(BzImageFile& file, const KernelImage& image) {
    const uint64_t offset = file.header.payload_offset;
    const uint64_t length = file.header.payload_length;
    if (offset > file.code.size() || length > file.code.size() - offset) {
        return bad_file(image.name(), HEADER_OFFSET(payload_offset),
                        fmt::format("the payload takes {:#x} bytes at {:#x}, but the file ends at {:#x}",
                                    length, file.setup_size + offset, image.bytes().size()));
    }
    if (length < 2 * sizeof file.unpacked_size) {
        return bad_file(image.name(), HEADER_OFFSET(payload_length),
                        fmt::format("the payload has {} bytes", length));
    }
    file.payload_at = file.setup_size + offset;
    file.payload = file.code.subspan(offset, length);
    std::memcpy(&file.unpacked_size, file.payload.last(sizeof file.unpacked_size).data(),
                sizeof file.unpacked_size);
    return {};
}

// The version string that the setup code carries for boot loaders; empty where there is none.
std::string read_release(std::span<const std::byte> setup, uint16_t kernel_version) {
    std::string release;
    for (uint64_t i = kReleaseBase + kernel_version; kernel_version != 0 && i < setup.size(); ++i) {
        const auto c = static_cast<char>(setup[i]);
        if (c <= ' ' || c > '~' || release.size() == kLongestRelease) break;
        release += c;
    }
    return release;
}

}  // namespace

bool is_bzimage(std::span<const std::byte> file) {
    return file.size() >= kMagicAt + sizeof kMagic &&
           std::memcmp(file.data() + kMagicAt, &kMagic, sizeof kMagic) == 0;
}

Result<BzImageFile> parse_bzimage(const KernelImage& image) {
    const auto bytes = image.bytes();
    BzImageFile file;
    file.header = copy_header(bytes);
    TRY(check_protocol(file.header, image.name()));
    TRY(check_placement(file.header, image.name()));
    constexpr uint8_t kSectorsForZero = 4;  // boot.rst: "for backwards compatibility, 0 means 4"
    const uint64_t sectors = file.header.setup_sects != 0 ? file.header.setup_sects : kSectorsForZero;
    file.setup_size = (sectors + 1) * kSector;
    if (file.setup_size >= bytes.size()) {
        return bad_file(image.name(), HEADER_OFFSET(setup_sects),
                        fmt::format("the setup code takes {:#x} bytes, but the file ends at {:#x}",
                                    file.setup_size, bytes.size()));
    }
    file.code = bytes.subspan(file.setup_size);
    file.release = read_release(bytes.first(file.setup_size), file.header.kernel_version);
    TRY(find_payload(file, image));
    return file;
}

}  // namespace carrel::boot
