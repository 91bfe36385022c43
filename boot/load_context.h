// LoadContext: what the steps of one load share.
#pragma once

#include <optional>
#include <string>

#include "boot/initrd.h"
#include "boot/kernel_image.h"
#include "boot/loader.h"
#include "boot/range_allocator.h"

namespace carrel::boot {

// Lives for one load_kernel(). Ranges that nobody may take are excluded from the beginning.
struct LoadContext {
    LoadContext(const KernelImage& kernel, const BootRequest& boot_request, GuestMemory& guest_memory);

    const KernelImage& image;
    const BootRequest& request;
    GuestMemory& memory;
    RangeAllocator ranges;
    std::optional<Initrd> initrd;
    BootResult result;

    // Random numbers for KASLR, the rest of the entropy for the guest; none where the host gave too little.
    bool has_entropy() const { return request.entropy.size() >= kLeastEntropy; }
    uint64_t random_physical() const { return random_at(0); }
    uint64_t random_virtual() const { return random_at(sizeof(uint64_t)); }
    std::span<const std::byte> guest_seed() const;

    static constexpr size_t kLeastEntropy = 64;

  private:
    uint64_t random_at(size_t offset) const;
};

}  // namespace carrel::boot
