#include "boot/range_allocator.h"

#include <fmt/core.h>

#include <algorithm>

#include "vmm/base/check.h"

namespace carrel::boot {
namespace {

// `base + size`, or nothing where that wraps.
std::optional<Gpa> end_of(Gpa base, uint64_t size) {
    if (size > UINT64_MAX - raw(base)) return std::nullopt;
    return base + size;
}

std::string describe(Gpa base, uint64_t size, const std::string& what) {
    return fmt::format("{} needs {:#x} bytes at {:#x}", what, size, raw(base));
}

}  // namespace

RangeAllocator RangeAllocator::in_most_low_ram() const {
    RangeAllocator other = *this;
    other.ram_ = RamMap::of_size(raw(address_map::kHoleStart)).ranges;
    return other;
}

Result<void> RangeAllocator::check_free(Gpa base, uint64_t size, const std::string& what) const {
    const auto end = end_of(base, size);
    const bool in_ram = end && std::any_of(ram_.begin(), ram_.end(), [&](const RamRange& ram) {
                            return base >= ram.base && *end <= ram.end();
                        });
    if (!in_ram) {
        return usage_error(describe(base, size, what) + ", which isn't all guest memory",
                           "give more --memory");
    }
    if (const Claim* other = claim_at(base, *end)) {
        return usage_error(describe(base, size, what) + ", where " + other->what + " is",
                           "it can't be loaded there: link it for other addresses");
    }
    return {};
}

Result<void> RangeAllocator::claim(Gpa base, uint64_t size, const std::string& what) {
    TRY(check_free(base, size, what));
    insert(Claim{base, base + size, what});
    return {};
}

void RangeAllocator::exclude(Gpa base, uint64_t size) {
    insert(Claim{base, end_of(base, size).value_or(Gpa{UINT64_MAX}), "a reserved range"});
}

void RangeAllocator::insert(Claim claim) {
    const auto place = std::find_if(claims_.begin(), claims_.end(),
                                    [&](const Claim& other) { return other.base > claim.base; });
    claims_.insert(place, std::move(claim));
}

const RangeAllocator::Claim* RangeAllocator::claim_at(Gpa base, Gpa end) const {
    for (const Claim& claim : claims_) {
        if (claim.base < end && claim.end > base) return &claim;
    }
    return nullptr;
}

std::vector<RamRange> RangeAllocator::gaps(Gpa from, Gpa to) const {
    std::vector<RamRange> found;
    for (const RamRange& ram : ram_) {
        Gpa at = std::max(ram.base, from);
        const Gpa end = std::min(ram.end(), to);
        for (const Claim& claim : claims_) {
            if (claim.end <= at || claim.base >= end) continue;
            if (claim.base > at) found.push_back(RamRange{at, claim.base - at});
            at = std::max(at, claim.end);
        }
        if (at < end) found.push_back(RamRange{at, end - at});
    }
    return found;
}

std::vector<RangeAllocator::Places> RangeAllocator::places(const PlaceRequest& request) const {
    std::vector<Places> found;
    for (const RamRange& gap : gaps(request.from, request.to)) {
        const uint64_t skip = (request.alignment - raw(gap.base) % request.alignment) % request.alignment;
        if (skip > gap.size || request.size > gap.size - skip) continue;
        found.push_back(Places{gap.base + skip, (gap.size - skip - request.size) / request.alignment + 1});
    }
    return found;
}

std::optional<Gpa> RangeAllocator::lowest(const PlaceRequest& request) const {
    const auto found = places(request);
    if (found.empty()) return std::nullopt;
    return found.front().first;
}

std::optional<Gpa> RangeAllocator::highest(const PlaceRequest& request) const {
    const auto found = places(request);
    if (found.empty()) return std::nullopt;
    return found.back().first + (found.back().count - 1) * request.alignment;
}

uint64_t RangeAllocator::slots(const PlaceRequest& request) const {
    uint64_t sum = 0;
    for (const Places& place : places(request)) sum += place.count;
    return sum;
}

Gpa RangeAllocator::slot(const PlaceRequest& request, uint64_t n) const {
    for (const Places& place : places(request)) {
        if (n < place.count) return place.first + n * request.alignment;
        n -= place.count;
    }
    CHECK_MSG(false, "no such slot");
    return Gpa{0};
}

}  // namespace carrel::boot
