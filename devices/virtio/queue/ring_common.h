// What SplitRing and PackedRing, which know only how their ring lies in memory, have in common.
#pragma once

#include <cstdint>
#include <optional>

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

// The area in our address space; null where it isn't aligned, not wholly inside one range of RAM, or the
// memory quota has no room for it. It is there as long as the ring has `hold`. Writes are told by wrote().
inline std::byte* map_area(GuestMemory& memory, const RingArea& area, std::optional<ReadWindow>& hold) {
    auto window = memory.slice(area.address, area.size);
    if (raw(area.address) % area.alignment != 0 || !window) return nullptr;
    hold.emplace(std::move(*window));
    return memory.place_of(area.address, area.size)->data();
}

// Whether moving an index from `before` to `now` has passed `event`: the next chain to go over was number
// `event` at some moment. 2.7.7.2, 2.7.10.1; numbers are modulo 65536.
constexpr bool passed(uint16_t event, uint16_t before, uint16_t now) {
    return static_cast<uint16_t>(now - event - 1) < static_cast<uint16_t>(now - before);
}

}  // namespace carrel::virtio
