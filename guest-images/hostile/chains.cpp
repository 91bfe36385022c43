// Chains that are wrong in themselves: VIRTIO 1.3, sections 2.7.5, 2.7.13, 2.8.5 to 2.8.7 and 2.8.17.
#include "hostile/attack.h"

namespace guest {
namespace {

const char* zero_length(Attack& a) {
    const Buffer chain[] = {{attack_header(), 16},
                            {attack_data(), 0, kDescWrite},
                            {0xffff'ffff'ffff'fff0, 0, kDescWrite},
                            {attack_data(), kSector, kDescWrite},
                            {attack_status(), 1, kDescWrite}};
    a.ring().offer(chain, 5);
    return a.expect(Outcome::kServed);
}
const char* nothing_at_all(Attack& a) {
    const Buffer chain[] = {{attack_data(), 0, kDescWrite}, {0, 0, kDescWrite}};
    a.ring().offer(chain, 2);
    return a.expect(Outcome::kRefused);
}
const char* readable_only(Attack& a) {
    const Buffer chain[] = {{attack_header(), 16}, {attack_data(), kSector}};
    a.ring().offer(chain, 2);
    return a.expect(Outcome::kRefused);
}
const char* readable_after_writable(Attack& a) {
    const Buffer chain[] = {
        {attack_data(), kSector, kDescWrite}, {attack_header(), 16}, {attack_status(), 1, kDescWrite}};
    a.ring().offer(chain, 3);
    return a.expect(Outcome::kRefused);
}
const char* as_long_as_the_queue(Attack& a) {
    Buffer chain[QueueMemory::kMost];
    const unsigned size = a.ring().size();
    const unsigned step = kSector / 16;
    if (size < QueueMemory::kMost) return nullptr;
    chain[0] = {attack_header(), 16};
    for (unsigned i = 1; i < size - 1; ++i) chain[i] = {attack_data() + i * step, step, kDescWrite};
    chain[size - 2].length = 3 * step;  // a sector in all
    chain[size - 1] = {attack_status(), 1, kDescWrite};
    a.ring().offer(chain, size);
    return a.expect(Outcome::kServed);
}

// ---- indirect tables ----
const char* in_a_table(Attack& a) {
    const Buffer chain[] = {
        {attack_header(), 16}, {attack_data(), kSector, kDescWrite}, {attack_status(), 1, kDescWrite}};
    a.ring().offer_indirect(chain, 3);
    return a.expect(Outcome::kServed);
}
const char* table(Attack& a, std::uint64_t address, std::uint32_t length, std::uint16_t more = 0) {
    const Buffer whole{address, length, static_cast<std::uint16_t>(kDescIndirect | more)};
    a.ring().offer(&whole, 1);
    return a.expect(Outcome::kRefused);
}
// One byte each, so that only their number is wrong.
const char* longer_than_the_queue(Attack& a) {
    Buffer chain[QueueMemory::kMost + 1];
    for (Buffer& buffer : chain) buffer = {attack_data(), 1, kDescWrite};
    a.ring().offer_indirect(chain, QueueMemory::kMost + 1);
    return a.ring().size() == QueueMemory::kMost ? a.expect(Outcome::kRefused) : a.expect(Outcome::kAny);
}
const char* empty_table(Attack& a) {
    return table(a, a.ring().table(), 0);
}
const char* ragged_table(Attack& a) {
    return table(a, a.ring().table(), 17);
}
const char* huge_table(Attack& a) {
    return table(a, 0x100000, 0xffff'fff0);
}
const char* table_in_registers(Attack& a) {
    return table(a, a.device().bar(), 32);
}
const char* table_past_ram(Attack& a) {
    return table(a, end_of_ram() - 16, 32);
}
const char* table_wraps(Attack& a) {
    return table(a, 0xffff'ffff'ffff'fff0, 32);
}
// Split: a table in a table is refused (2.7.5.3.1). Packed: the flag means nothing there (2.8.7), so it is a
// buffer.
const char* table_in_a_table(Attack& a) {
    a.ring().fill_table(0, {a.ring().table() + 32, 16, kDescIndirect}, 0);
    a.ring().fill_table(2, {attack_data(), 16, kDescWrite}, 0);
    const Buffer whole{a.ring().table(), 16, kDescIndirect};
    a.ring().offer(&whole, 1);
    return a.expect(Outcome::kRefused);
}
const char* table_of_itself(Attack& a) {
    for (unsigned i = 0; i < 4; ++i) a.ring().fill_table(i, {a.ring().table(), 64, kDescIndirect}, 0);
    const Buffer whole{a.ring().table(), 64, kDescIndirect};
    a.ring().offer(&whole, 1);
    return a.expect(Outcome::kRefused);
}
const char* table_with_more(Attack& a) {
    a.ring().fill_table(0, {attack_data(), 64, kDescWrite}, 0);
    const Buffer chain[] = {{a.ring().table(), 16, kDescIndirect}, {attack_data(), 64, kDescWrite}};
    a.ring().offer(chain, 2);
    return a.expect(Outcome::kRefused);
}
const char* looping_table(Attack& a) {
    a.ring().fill_table(0, {attack_data(), 1, kDescWrite | kDescNext}, 1);
    a.ring().fill_table(1, {attack_data(), 1, kDescWrite | kDescNext}, 0);
    return table(a, a.ring().table(), 32);
}
const char* table_without_end(Attack& a) {
    a.ring().fill_table(0, {attack_data(), 1, kDescWrite | kDescNext}, 2);
    return table(a, a.ring().table(), 32);
}
const char* table_not_agreed(Attack& a) {
    if (const char* problem = a.driver.start(a.packed, 0)) return problem;
    a.ring().fill_table(0, {attack_data(), 64, kDescWrite}, 0);
    return table(a, a.ring().table(), 16);
}

constexpr Case kCases[] = {
    {"buffers-of-length-0", zero_length},
    {"nothing-but-length-0", nothing_at_all},
    {"nothing-to-write", readable_only},
    {"readable-after-writable", readable_after_writable},
    {"as-long-as-the-queue", as_long_as_the_queue},
    {"indirect", in_a_table},
    {"indirect-longer-than-the-queue", longer_than_the_queue},
    {"indirect-empty", empty_table},
    {"indirect-not-of-16", ragged_table},
    {"indirect-4GiB", huge_table},
    {"indirect-in-its-own-BAR", table_in_registers},
    {"indirect-past-RAM", table_past_ram},
    {"indirect-wraps", table_wraps},
    {"indirect-in-indirect", table_in_a_table},
    {"indirect-of-itself", table_of_itself},
    {"indirect-and-more", table_with_more},
    {"indirect-loop", looping_table, Rings::kSplit},
    {"indirect-next-beyond", table_without_end, Rings::kSplit},
    {"indirect-not-agreed", table_not_agreed},
};

}  // namespace

Cases chain_cases() {
    return kCases;
}

}  // namespace guest
