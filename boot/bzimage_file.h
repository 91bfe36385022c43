// BzImageFile: the headers of a bzImage, copied and checked (Linux Documentation/arch/x86/boot.rst).
//
//   0       ┌──────────────────────────────┐
//   0x1f1   │ setup header                 │ real-mode code, which carrel never runs
//   setup   ├──────────────────────────────┤ (setup_sects + 1) * 512
//           │ protected-mode code:         │ the guest's own decompressor; 64-bit entry at + 0x200
//           │   payload_offset:            │
//           │   the packed ELF kernel      │ payload_length bytes, the last four its unpacked size
//           └──────────────────────────────┘
#pragma once

#include <asm/bootparam.h>

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

#include "boot/kernel_image.h"

namespace carrel::boot {

inline constexpr uint64_t kSetupHeaderAt = offsetof(boot_params, hdr);  // in the file

struct BzImageFile {
    setup_header header;                 // a copy; what the file's is shorter by is zero
    std::string release;                 // "6.1.0-…", printable; may be empty
    uint64_t setup_size = 0;             // where the protected-mode code begins
    std::span<const std::byte> code;     // the protected-mode code, to the end of the file
    uint64_t payload_at = 0;             // in the file
    std::span<const std::byte> payload;  // with the four bytes of its unpacked size
    uint32_t unpacked_size = 0;
};

bool is_bzimage(std::span<const std::byte> file);
Result<BzImageFile> parse_bzimage(const KernelImage& image);

}  // namespace carrel::boot
