// Rings that are wrong: links, heads, indices, laps, events. VIRTIO 1.3, sections 2.7 and 2.8.
#include <initializer_list>

#include "hostile/attack.h"
#include "lib/physical.h"

namespace guest {
namespace {

// ---- split ----
void link(Attack& a, unsigned i, std::uint16_t next, std::uint16_t flags = kDescWrite | kDescNext) {
    volatile SplitDescriptor& d = a.ring().split(i);
    d.address = attack_data();
    d.length = 1;
    d.flags = flags;
    d.next = next;
}
const char* chain_from(Attack& a, std::uint16_t head, Outcome outcome) {
    a.ring().set_available(a.ring().available_index(), head);
    a.ring().set_available_index(static_cast<std::uint16_t>(a.ring().available_index() + 1));
    return a.expect(outcome);
}
const char* points_at_itself(Attack& a) {
    link(a, 3, 3);
    return chain_from(a, 3, Outcome::kRefused);
}
const char* loop_of_two(Attack& a) {
    link(a, 3, 4);
    link(a, 4, 3);
    return chain_from(a, 3, Outcome::kRefused);
}
const char* loop_of_all(Attack& a) {
    for (std::uint16_t i = 0; i < a.ring().size(); ++i)
        link(a, i, static_cast<std::uint16_t>((i + 1) % a.ring().size()));
    return chain_from(a, 0, Outcome::kRefused);
}
const char* next_beyond(Attack& a) {
    link(a, 0, a.ring().size());
    return chain_from(a, 0, Outcome::kRefused);
}
const char* next_far_beyond(Attack& a) {
    link(a, 0, 0xffff);
    return chain_from(a, 0, Outcome::kRefused);
}
const char* all_flags(Attack& a) {
    link(a, 0, 0, 0xffff);
    return chain_from(a, 0, Outcome::kRefused);
}
const char* head_beyond(Attack& a) {
    return chain_from(a, a.ring().size(), Outcome::kBroken);
}
const char* head_far_beyond(Attack& a) {
    return chain_from(a, 0xffff, Outcome::kBroken);
}
const char* jump(Attack& a, unsigned by, Outcome outcome) {
    a.ring().set_available_index(static_cast<std::uint16_t>(a.ring().available_index() + by));
    return a.expect(outcome);
}
const char* jump_past_size(Attack& a) {
    return jump(a, a.ring().size() + 1u, Outcome::kBroken);
}
const char* jump_half(Attack& a) {
    return jump(a, 0x8000, Outcome::kBroken);
}
const char* jump_back(Attack& a) {
    return jump(a, 0xffff, Outcome::kBroken);
}
// As many as there is room for: each entry is head 0, an empty buffer.
const char* jump_size(Attack& a) {
    const char* problem = jump(a, a.ring().size(), Outcome::kRefused);
    Used used;
    for (unsigned i = 1; i < a.ring().size() && a.driver.can_ask(); ++i)
        if (!a.ring().wait(used, kPatience)) return "chains are missing";
    return problem;
}
const char* same_head_twice(Attack& a) {
    a.offer({attack_data(), kSector, kDescWrite});
    a.ring().set_available(a.ring().available_index(), 0);
    a.ring().set_available_index(static_cast<std::uint16_t>(a.ring().available_index() + 1));
    const char* problem = a.expect(Outcome::kBack);
    Used used;
    if (a.driver.can_ask() && !a.ring().wait(used, kPatience)) return "the second never came back";
    return problem;
}
// used_event, the flags and everything behind the entries may be anything.
const char* wild_events(Attack& a) {
    if (const char* problem = a.driver.start(a.packed, kFeatureIndirect | kFeatureEventIdx)) return problem;
    const QueuePlace place = a.ring().place();
    const std::uint64_t used_event = place.driver_area + 4 + 2u * place.size;
    for (const unsigned word : {0xffffu, 0x8000u, 1u, 0u}) {
        const auto value = static_cast<std::uint16_t>(word);
        write_physical(place.driver_area, value);
        write_physical(used_event, value);
        write_physical(place.device_area, value);
        a.offer({attack_data(), kSector, kDescWrite});
        if (const char* problem = a.expect(Outcome::kServed)) return problem;
    }
    return nullptr;
}

// ---- packed ----
void put(Attack& a, unsigned i, std::uint16_t flags) {
    volatile PackedDescriptor& d = a.ring().packed(i);
    d.address = attack_data();
    d.length = 1;
    d.id = static_cast<std::uint16_t>(i);
    d.flags = flags;
}
const char* goes_on_in_nothing(Attack& a) {
    put(a, 0, static_cast<std::uint16_t>(kDescWrite | kDescNext | a.ring().owner_flags()));
    return a.expect(Outcome::kBroken);
}
const char* goes_round(Attack& a) {
    for (unsigned i = a.ring().size(); i-- > 0;)
        put(a, i, static_cast<std::uint16_t>(kDescWrite | kDescNext | a.ring().owner_flags()));
    return a.expect(Outcome::kBroken);
}
const char* used_already(Attack& a) {
    put(a, 0, kDescWrite | kDescAvailable | kDescUsed);
    return a.expect(Outcome::kAny);
}
const char* wrong_lap(Attack& a) {
    for (unsigned i = 0; i < a.ring().size(); ++i) put(a, i, kDescWrite | kDescUsed);
    return a.expect(Outcome::kAny);
}
const char* wild_id(Attack& a) {
    put(a, 0, static_cast<std::uint16_t>(kDescWrite | a.ring().owner_flags()));
    a.ring().packed(0).id = 0xffff;
    return a.expect(Outcome::kAny);
}
const char* wild_suppression(Attack& a) {
    if (const char* problem = a.driver.start(a.packed, kFeatureIndirect | kFeatureEventIdx)) return problem;
    for (const std::uint32_t value : {0xffff'ffffu, 0x0002'7fffu, 0x0003'0000u, 0x0001'ffffu}) {
        write_physical(a.ring().place().driver_area, value);
        write_physical(a.ring().place().device_area, value);
        a.offer({attack_data(), kSector, kDescWrite});
        if (const char* problem = a.expect(Outcome::kServed)) return problem;
    }
    return nullptr;
}

constexpr Case kCases[] = {
    {"chain-points-at-itself", points_at_itself, Rings::kSplit},
    {"chain-loop-of-2", loop_of_two, Rings::kSplit},
    {"chain-loop-of-all", loop_of_all, Rings::kSplit},
    {"chain-next-beyond", next_beyond, Rings::kSplit},
    {"chain-next-far-beyond", next_far_beyond, Rings::kSplit},
    {"all-flags", all_flags, Rings::kSplit},
    {"head-beyond", head_beyond, Rings::kSplit, false},
    {"head-far-beyond", head_far_beyond, Rings::kSplit, false},
    {"index-jumps-past-the-size", jump_past_size, Rings::kSplit, false},
    {"index-jumps-half-way", jump_half, Rings::kSplit, false},
    {"index-goes-back", jump_back, Rings::kSplit, false},
    {"index-jumps-the-size", jump_size, Rings::kSplit},
    {"one-head-twice", same_head_twice, Rings::kSplit},
    {"wild-events", wild_events, Rings::kSplit},
    {"goes-on-in-nothing", goes_on_in_nothing, Rings::kPacked, false},
    {"goes-round-for-ever", goes_round, Rings::kPacked, false},
    {"used-already", used_already, Rings::kPacked, false},
    {"wrong-lap", wrong_lap, Rings::kPacked, false},
    {"wild-id", wild_id, Rings::kPacked, false},
    {"wild-suppression", wild_suppression, Rings::kPacked},
};

}  // namespace

Cases ring_cases() {
    return kCases;
}

}  // namespace guest
