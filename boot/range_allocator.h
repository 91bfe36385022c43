// RangeAllocator: which guest-physical addresses are taken while a guest is being loaded.
//
//   RAM      |###########################|   |##########|
//   claims        [a]      [kernel]  [b]
//   gaps     |---|   |----|        |-|   |   |----------|      lowest(), highest() and slots choose in these
//
// Nothing that we place overlaps anything else, because everything is claimed here first.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "vmm/base/result.h"
#include "vmm/model/gpa.h"
#include "vmm/model/ram_map.h"

namespace carrel::boot {

// A wish: `size` bytes, at a multiple of `alignment` (a power of two), wholly in [from, to). Sizes and
// addresses may come from a file: nothing here trusts them.
struct PlaceRequest {
    uint64_t size = 0;
    uint64_t alignment = kPageSize;
    Gpa from{0};
    Gpa to{0};
};

// One thread.
class RangeAllocator {
  public:
    explicit RangeAllocator(const RamMap& map) : ram_(map.ranges) {}

    // The same claims in a machine whose RAM reaches the PCI hole: what doesn't fit there either won't be
    // helped by more memory.
    RangeAllocator in_most_low_ram() const;

    // Whether this very range can be taken for `what` ("the kernel's image"). The error says what is in the
    // way.
    Result<void> check_free(Gpa base, uint64_t size, const std::string& what) const;
    // Takes it.
    Result<void> claim(Gpa base, uint64_t size, const std::string& what);
    // Keeps everybody off a range, whatever is there.
    void exclude(Gpa base, uint64_t size);

    // The lowest and the highest place that fits; none: nullopt. Not claimed yet.
    std::optional<Gpa> lowest(const PlaceRequest& request) const;
    std::optional<Gpa> highest(const PlaceRequest& request) const;
    // How many places fit, and the n-th of them counted from below (n < slots()).
    uint64_t slots(const PlaceRequest& request) const;
    Gpa slot(const PlaceRequest& request, uint64_t n) const;

  private:
    struct Claim {
        Gpa base;
        Gpa end;
        std::string what;
    };
    struct Places {  // first, first + alignment, …: `count` of them
        Gpa first;
        uint64_t count;
    };
    void insert(Claim claim);
    std::vector<RamRange> gaps(Gpa from, Gpa to) const;
    std::vector<Places> places(const PlaceRequest& request) const;
    const Claim* claim_at(Gpa base, Gpa end) const;

    std::vector<RamRange> ram_;
    std::vector<Claim> claims_;  // sorted by base; exclusions may overlap each other
};

}  // namespace carrel::boot
