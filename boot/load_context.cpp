#include "boot/load_context.h"

#include <cstring>

#include "boot/boot_layout_x86.h"

namespace carrel::boot {
namespace {
constexpr size_t kKaslrBytes = 2 * sizeof(uint64_t);
constexpr size_t kMostSeed = 256;  // fits the boot block; Linux takes any length
}  // namespace

LoadContext::LoadContext(const KernelImage& kernel, const BootRequest& boot_request,
                         GuestMemory& guest_memory)
    : image(kernel), request(boot_request), memory(guest_memory), ranges(guest_memory.map()) {
    ranges.exclude(Gpa{0}, raw(layout::kLowStructures));
    ranges.exclude(layout::kLowReserved, layout::kLowReservedEnd - layout::kLowReserved);
    for (const RamRange& range : request.reserved) ranges.exclude(range.base, range.size);
}

uint64_t LoadContext::random_at(size_t offset) const {
    CHECK(has_entropy());
    uint64_t value = 0;
    std::memcpy(&value, request.entropy.data() + offset, sizeof value);
    return value;
}

std::span<const std::byte> LoadContext::guest_seed() const {
    if (!has_entropy()) return {};
    return request.entropy.subspan(kKaslrBytes, std::min(request.entropy.size() - kKaslrBytes, kMostSeed));
}

}  // namespace carrel::boot
