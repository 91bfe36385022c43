// SwapFile: pages of a guest's RAM in a file: written and read.
#pragma once

#include <cstdint>
#include <span>

#include "vmm/base/fd.h"
#include "vmm/base/result.h"
#include "vmm/memory/packed_page.h"

namespace carrel {

inline constexpr uint64_t kSwapUnit = 512;                     // what room in the file is given by
inline constexpr uint64_t kSwapUnits = kPageSize / kSwapUnit;  // of a page that doesn't let itself be packed

// Where one page's content lies, packed.
struct SwapPlace {
    uint32_t unit = 0;
    uint32_t sum = 0;     // CRC-32 of the bytes
    uint16_t length = 0;  // in bytes; 0: nowhere
    bool operator==(const SwapPlace&) const = default;
    uint64_t units() const { return (length + kSwapUnit - 1) / kSwapUnit; }
};

// Whoever may write to the file is not trusted: what comes back is what was written, or an error. Any thread.
class SwapFile {
  public:
    static constexpr uint64_t kStart = kPageSize;  // before it is what its owner knows it by

    // For reading and writing; nobody else uses it. `size`: bytes at most.
    SwapFile(Fd fd, uint64_t size);
    uint64_t size() const { return size_; }

    static uint32_t sum_of(std::span<const std::byte> packed);
    // The errors are the second half of a sentence about the guest.
    Result<void> write(const SwapPlace& place, std::span<const std::byte> packed) const;
    Result<void> read(const SwapPlace& place, PageBytes& page) const;
    // The same where it takes no waiting for a disk; false: it would, or it fails.
    bool read_at_once(const SwapPlace& place, PageBytes& page) const;

  private:
    Fd fd_;
    uint64_t size_;
    int at_once_;  // flags of preadv2(2)
};

}  // namespace carrel
