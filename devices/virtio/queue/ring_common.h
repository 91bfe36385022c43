// What SplitRing and PackedRing, which know only how their ring lies in memory, have in common.
#pragma once

#include <cstdint>

#include "devices/virtio/queue/chain_builder.h"
#include "vmm/memory/guest_memory.h"

namespace carrel::virtio {

// What a ring has for us next.
struct Found {
    enum Kind : uint8_t {
        kNothing,
        kChain,      // it is in the builder
        kMalformed,  // it can be given back, but not used
        kBroken,     // what comes next can't be known
    };
    Kind kind = kNothing;
    uint16_t id = 0;           // split: the chain's head; packed: the buffer's id
    uint16_t descriptors = 0;  // by how much the chain moves the ring's indices on
    Complaint complaint = nullptr;

    static Found broken(Complaint complaint) { return {kBroken, 0, 0, complaint}; }
};

// One of the areas of a ring: where the driver says it is, and what the specification demands.
struct RingArea {
    Gpa address;
    uint64_t size;
    uint64_t alignment;
};

// The area in our address space, for reading or (as an open window) for both; null where it isn't aligned or
// not wholly inside one range of RAM.
inline const std::byte* map_readable(const GuestMemory& memory, const RingArea& area) {
    const auto bytes = memory.slice(area.address, area.size);
    return raw(area.address) % area.alignment == 0 && bytes ? bytes->data() : nullptr;
}
inline std::byte* map_writable(GuestMemory& memory, const RingArea& area) {
    auto window = memory.window(area.address, area.size);
    return raw(area.address) % area.alignment == 0 && window ? window->detach().data() : nullptr;
}

// Whether moving an index from `before` to `now` has passed `event`: the next chain to go over was number
// `event` at some moment. 2.7.7.2, 2.7.10.1; numbers are modulo 65536.
constexpr bool passed(uint16_t event, uint16_t before, uint16_t now) {
    return static_cast<uint16_t>(now - event - 1) < static_cast<uint16_t>(now - before);
}

}  // namespace carrel::virtio
