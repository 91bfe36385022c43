// BARs moved to where they shouldn't be, and while traffic runs. PCI 3.0, section 6.2.5.
#include <initializer_list>

#include "hostile/attack.h"

namespace guest {
namespace {

constexpr std::uint32_t kFree = 0xd0000000, kFree2 = 0xd7ff8000;
constexpr std::uint32_t kIoApic = 0xfec00000, kLocalApic = 0xfee00000, kLast = 0xffff8000;
constexpr unsigned kMoves = 40;

// At `to` the device may answer or not. Back home it does, and nobody else has lost anything.
const char* there_and_back(Attack& a, std::uint32_t to) {
    const std::uint32_t home = a.device().bar();
    a.device().move(to);
    (void)a.device().status();
    a.kick();
    const char* problem = others_work(a);
    a.device().move(home);
    return problem != nullptr ? problem : a.driver.ask(a.queue);
}
const char* elsewhere(Attack& a) {
    const std::uint32_t home = a.device().bar();
    for (const std::uint32_t to : {kFree, kFree2, home}) {
        a.device().move(to);
        if (const char* problem = a.driver.ask(a.queue)) return problem;
        if (to != home && read_physical<std::uint32_t>(home) != 0xffffffff)
            return "it still answers where it was";
    }
    return nullptr;
}
const char* over_another(Attack& a) {
    const std::uint32_t other = other_bar(a);
    return other == 0 ? nullptr : there_and_back(a, other);
}
const char* over_ram(Attack& a) {
    const std::uint64_t at = attack_data() & ~0x7fffull;
    write_physical(attack_data(), 0x0123456789abcdefull);
    const char* problem = there_and_back(a, static_cast<std::uint32_t>(at));
    if (problem == nullptr && read_physical<std::uint64_t>(attack_data()) != 0x0123456789abcdefull)
        return "RAM under a BAR has changed";
    return problem;
}
const char* over_address_0(Attack& a) {
    return there_and_back(a, 0);
}
const char* over_the_end_of_ram(Attack& a) {
    return there_and_back(a, static_cast<std::uint32_t>((end_of_low_ram() - 1) & ~0x7fffull));
}
const char* over_ecam(Attack& a) {
    const char* problem = there_and_back(a, static_cast<std::uint32_t>(acpi().ecam));
    if (problem == nullptr && acpi().ecam != 0 && read_physical<std::uint16_t>(acpi().ecam) == 0xffff)
        return "ECAM has gone";
    return problem;
}
const char* over_io_apic(Attack& a) {
    return there_and_back(a, kIoApic);
}
const char* over_local_apic(Attack& a) {
    return there_and_back(a, kLocalApic);
}
const char* over_the_last_page(Attack& a) {
    return there_and_back(a, kLast);
}

// Each request is asked at one place and rung for at the next.
const char* while_traffic_runs(Attack& a) {
    const std::uint32_t home = a.device().bar();
    Used used;
    for (unsigned i = 0; i < kMoves; ++i) {
        a.driver.offer_request(a.queue, attack_data());
        a.kick();
        a.device().move(i % 2 == 0 ? kFree : home);
        a.kick();
        if (a.driver.can_ask() && !a.ring().wait(used, kPatience)) return "a request was lost in a move";
        if (!a.driver.can_ask()) (void)a.ring().collect(used);
    }
    a.device().move(home);
    return nullptr;
}
// In two halves, as a 64-bit BAR would be, and by bytes: each write is a move.
const char* by_bytes(Attack& a) {
    const unsigned slot = a.device().slot();
    const std::uint32_t home = a.device().bar();
    for (unsigned i = 0; i < 4; ++i) pci_write<std::uint8_t>(slot, kPciBar0 + i, 0xd1);
    for (unsigned i = 0; i < 4; ++i) pci_write(slot, kPciBar0 + i, static_cast<std::uint8_t>(home >> 8 * i));
    return a.driver.ask(a.queue);
}
const char* sized_while_decoding(Attack& a) {
    const unsigned slot = a.device().slot();
    const std::uint32_t home = a.device().bar();
    pci_write<std::uint32_t>(slot, kPciBar0, ~0u);
    const auto mask = pci_read<std::uint32_t>(slot, kPciBar0);
    pci_write<std::uint32_t>(slot, kPciBar0, home);
    if ((mask & (~mask + 1)) < 16) return "the BAR has no size";
    return a.driver.ask(a.queue);
}

constexpr Case kCases[] = {
    {"BAR-elsewhere", elsewhere},
    {"BAR-over-another", over_another},
    {"BAR-over-RAM", over_ram},
    {"BAR-over-address-0", over_address_0},
    {"BAR-over-the-end-of-RAM", over_the_end_of_ram},
    {"BAR-over-ECAM", over_ecam},
    {"BAR-over-the-IOAPIC", over_io_apic},
    {"BAR-over-the-local-APIC", over_local_apic},
    {"BAR-over-the-last-page", over_the_last_page},
    {"BAR-moves-while-traffic-runs", while_traffic_runs},
    {"BAR-by-bytes", by_bytes},
    {"BAR-sized-while-decoding", sized_while_decoding},
};

}  // namespace

Cases bar_cases() {
    return kCases;
}

}  // namespace guest
