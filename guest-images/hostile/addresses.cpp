// Buffers that lie where they shouldn't, or only just where they may.
#include "hostile/attack.h"

namespace guest {
namespace {

constexpr std::uint64_t kHole = 0xd0000000, kIoApic = 0xfec00000, kLocalApic = 0xfee00000;

const char* sector_at(Attack& a, std::uint64_t address, Outcome outcome) {
    return a.piece({address, kSector, kDescWrite}, outcome);
}

const char* top_of_ram(Attack& a) {
    return sector_at(a, end_of_ram() - kSector, Outcome::kServed);
}
const char* past_ram(Attack& a) {
    return sector_at(a, end_of_ram() - kSector + 1, Outcome::kRefused);
}
const char* behind_ram(Attack& a) {
    return sector_at(a, end_of_ram(), Outcome::kRefused);
}
const char* top_of_low_ram(Attack& a) {
    return sector_at(a, end_of_low_ram() - kSector, Outcome::kServed);
}
const char* past_low_ram(Attack& a) {
    return sector_at(a, end_of_low_ram() - 1, Outcome::kRefused);
}
const char* over_the_hole(Attack& a) {
    return a.piece({attack_data(), 0xffff0000, kDescWrite}, Outcome::kRefused);
}
const char* largest(Attack& a) {
    return a.piece({0, 0xffffffff, kDescWrite}, Outcome::kRefused);
}
const char* wraps(Attack& a) {
    return sector_at(a, 0xffff'ffff'ffff'ff00, Outcome::kRefused);
}
const char* ends_at_the_end(Attack& a) {
    return sector_at(a, 0xffff'ffff'ffff'fe00, Outcome::kRefused);
}
const char* past_52_bits(Attack& a) {
    return sector_at(a, 1ull << 52, Outcome::kRefused);
}
const char* top_bit(Attack& a) {
    return sector_at(a, 1ull << 63 | attack_data(), Outcome::kRefused);
}
const char* hole(Attack& a) {
    return sector_at(a, kHole, Outcome::kRefused);
}
const char* io_apic(Attack& a) {
    return sector_at(a, kIoApic, Outcome::kRefused);
}
const char* local_apic(Attack& a) {
    return sector_at(a, kLocalApic, Outcome::kRefused);
}
const char* ecam(Attack& a) {
    return sector_at(a, acpi().ecam, Outcome::kRefused);
}
const char* own_bar(Attack& a) {
    return sector_at(a, a.device().bar(), Outcome::kRefused);
}
const char* own_doorbell(Attack& a) {
    return sector_at(a, a.device().doorbell(0), Outcome::kRefused);
}
const char* own_messages(Attack& a) {
    return sector_at(a, a.device().msix_table(), Outcome::kRefused);
}
const char* others_bar(Attack& a) {
    const std::uint32_t bar = other_bar(a);
    return bar == 0 ? nullptr : sector_at(a, bar, Outcome::kRefused);
}
// The device writes into what it reads next: whatever it finds there, it goes on or says NEEDS_RESET.
const char* into_descriptors(Attack& a) {
    return sector_at(a, a.ring().place().descriptors, Outcome::kAny);
}
const char* into_driver_area(Attack& a) {
    return sector_at(a, a.ring().place().driver_area, Outcome::kAny);
}
const char* into_device_area(Attack& a) {
    return sector_at(a, a.ring().place().device_area, Outcome::kAny);
}
const char* into_its_table(Attack& a) {
    const Buffer chain[] = {
        {attack_header(), 16}, {a.ring().table(), kSector, kDescWrite}, {attack_status(), 1, kDescWrite}};
    a.ring().offer_indirect(chain, 3);
    return a.expect(Outcome::kAny);
}
const char* into_its_header(Attack& a) {
    return sector_at(a, attack_header(), Outcome::kAny);
}
const char* status_over_data(Attack& a) {
    const Buffer chain[] = {
        {attack_header(), 16}, {attack_data(), kSector, kDescWrite}, {attack_data(), 1, kDescWrite}};
    a.ring().offer(chain, 3);
    return a.expect(Outcome::kBack);
}
const char* status_in_registers(Attack& a) {
    const Buffer chain[] = {{attack_header(), 16},
                            {attack_data(), kSector, kDescWrite},
                            {a.device().common() + kDeviceStatus, 1, kDescWrite}};
    a.ring().offer(chain, 3);
    return a.expect(Outcome::kRefused);
}
const char* header_past_ram(Attack& a) {
    const Buffer chain[] = {
        {end_of_ram() - 8, 16}, {attack_data(), kSector, kDescWrite}, {attack_status(), 1, kDescWrite}};
    a.ring().offer(chain, 3);
    return a.expect(Outcome::kRefused);
}
const char* header_in_registers(Attack& a) {
    const Buffer chain[] = {
        {a.device().bar(), 16}, {attack_data(), kSector, kDescWrite}, {attack_status(), 1, kDescWrite}};
    a.ring().offer(chain, 3);
    return a.expect(Outcome::kRefused);
}

constexpr Case kCases[] = {
    {"ends-at-the-top-of-RAM", top_of_ram},
    {"ends-past-RAM", past_ram},
    {"behind-RAM", behind_ram},
    {"ends-at-the-top-of-low-RAM", top_of_low_ram},
    {"ends-in-the-hole", past_low_ram},
    {"over-the-hole", over_the_hole},
    {"4GiB", largest},
    {"wraps", wraps},
    {"ends-at-2^64", ends_at_the_end},
    {"past-52-bits", past_52_bits},
    {"top-bit", top_bit},
    {"in-the-hole", hole},
    {"in-the-IOAPIC", io_apic},
    {"in-the-local-APIC", local_apic},
    {"in-ECAM", ecam},
    {"in-its-own-BAR", own_bar},
    {"in-its-doorbells", own_doorbell},
    {"in-its-MSI-X-table", own_messages},
    {"in-another-BAR", others_bar},
    {"in-its-descriptors", into_descriptors, Rings::kBoth, false},
    {"in-its-driver-area", into_driver_area, Rings::kBoth, false},
    {"in-its-device-area", into_device_area, Rings::kBoth, false},
    {"in-its-indirect-table", into_its_table, Rings::kBoth, false},
    {"in-its-header", into_its_header},
    {"status-over-data", status_over_data},
    {"status-in-registers", status_in_registers},
    {"header-past-RAM", header_past_ram},
    {"header-in-registers", header_in_registers},
};

}  // namespace

Cases address_cases() {
    return kCases;
}

}  // namespace guest
