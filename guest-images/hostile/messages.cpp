// MSI-X: vectors that don't exist, messages to nowhere, tables that change under fire. PCI 3.0,
// section 6.8.2; VIRTIO 1.3, section 4.1.5.1.2.
#include <initializer_list>

#include "hostile/attack.h"
#include "lib/apic_x86.h"
#include "lib/clock_x86.h"
#include "lib/interrupts_x86.h"

namespace guest {
namespace {

constexpr std::uint16_t kNoVector = 0xffff;
constexpr std::uint64_t kMessageAddress = 0xfee00000;
constexpr unsigned kStorm = 100;

constinit volatile bool arrived = false;

void on_message(InterruptFrame&) {
    arrived = true;
}

void set_control(const Attack& a, std::uint16_t bits) {
    pci_write(a.device().slot(), a.device().msix() + kMsixControl, bits);
}
void set_queue_vector(const Attack& a, std::uint16_t vector) {
    a.device().put(kQueueSelect, static_cast<std::uint16_t>(a.queue));
    a.device().put(kQueueVector, vector);
}
std::uint64_t here() {
    return kMessageAddress | std::uint64_t{local_apic_id()} << 12;
}

// A request that interrupts by vector 0.
const char* interrupts(Attack& a) {
    set_handler(kIpiVector, on_message);
    a.device().set_vector(0, here(), kIpiVector, false);
    set_control(a, kMsixEnable);
    set_queue_vector(a, 0);
    arrived = false;
    interrupts_on();
    const char* problem = a.driver.ask(a.queue);
    const bool came = !a.driver.can_ask() || wait_for(arrived, kPatience);
    interrupts_off();
    if (problem == nullptr && !came) problem = "no message came for a request";
    return problem;
}
const char* ends(Attack& a, const char* problem) {
    if (problem == nullptr) problem = interrupts(a);
    set_control(a, 0);
    return problem;
}

const char* by_the_rules(Attack& a) {
    return ends(a, nullptr);
}
const char* vectors_that_do_not_exist(Attack& a) {
    const unsigned vectors =
        (pci_read<std::uint16_t>(a.device().slot(), a.device().msix() + kMsixControl) & 0x7ff) + 1u;
    set_control(a, kMsixEnable);
    for (const unsigned vector : {vectors, vectors + 1, 0x7ffu, 0x800u, 0xfffeu}) {
        set_queue_vector(a, static_cast<std::uint16_t>(vector));
        if (a.device().get<std::uint16_t>(kQueueVector) != kNoVector)
            return "a vector that doesn't exist was taken";
        a.device().put(kConfigVector, static_cast<std::uint16_t>(vector));
        if (a.device().get<std::uint16_t>(kConfigVector) != kNoVector)
            return "a vector that doesn't exist was taken";
        a.device().set_vector(vector, here(), kIpiVector, false);
    }
    return ends(a, a.driver.ask(a.queue));
}
const char* messages_to_nowhere(Attack& a) {
    set_control(a, kMsixEnable);
    set_queue_vector(a, 0);
    const std::uint64_t nowhere[] = {0,          attack_data(), a.device().bar(), ~0ull, 0xfee0000000000000,
                                     0xfee00ff0, 0xfeeff00c,    0xfec00000};
    for (const std::uint64_t address : nowhere) {
        a.device().set_vector(0, address, 0xffffffff, false);
        if (const char* problem = a.driver.ask(a.queue)) return problem;
    }
    return ends(a, nullptr);
}
// Data that no local APIC understands: vectors 0 to 15, reserved modes. (Not INIT, NMI or SMI: those work.)
const char* messages_of_nonsense(Attack& a) {
    set_control(a, kMsixEnable);
    set_queue_vector(a, 0);
    for (const std::uint32_t data : {0x00u, 0x0fu, 0x300u, 0xffff0000u, 0x8000u}) {
        a.device().set_vector(0, here(), data, false);
        if (const char* problem = a.driver.ask(a.queue)) return problem;
    }
    return ends(a, nullptr);
}
const char* masked_all_the_time(Attack& a) {
    set_control(a, kMsixEnable | kMsixFunctionMask);
    set_queue_vector(a, 0);
    for (unsigned i = 0; i < kStorm; ++i) {
        a.device().set_vector(0, here(), kIpiVector, i % 2 == 0);
        set_control(a, static_cast<std::uint16_t>(kMsixEnable | (i % 3 == 0 ? kMsixFunctionMask : 0)));
        if (i % 10 != 0) continue;
        if (const char* problem = a.driver.ask(a.queue)) return problem;
    }
    return ends(a, nullptr);
}
const char* table_by_odd_widths(Attack& a) {
    const std::uint64_t table = a.device().msix_table();
    for (unsigned at = 0; at < 40; ++at) {
        write_physical<std::uint8_t>(table + at, 0xff);
        write_physical<std::uint16_t>(table + at, 0x5555);
        write_physical<std::uint64_t>(table + at, ~0ull);
        (void)read_physical<std::uint64_t>(table + at);
    }
    for (const unsigned at :
         {0xff9u, 0xffcu, 0xfffu, 0x1000u, 0x1ffcu}) {  // over the table's end, the pending bits
        write_physical<std::uint64_t>(table + at, ~0ull);
        (void)read_physical<std::uint64_t>(table + at);
    }
    return ends(a, nullptr);
}
const char* switched_in_flight(Attack& a) {
    for (unsigned i = 0; i < kStorm; ++i) {
        set_control(a, i % 2 == 0 ? kMsixEnable : std::uint16_t{0});
        if (i % 20 != 0) continue;
        if (const char* problem = a.driver.ask(a.queue)) return problem;
    }
    return ends(a, nullptr);
}

constexpr Case kCases[] = {
    {"messages", by_the_rules},
    {"vectors-that-do-not-exist", vectors_that_do_not_exist},
    {"messages-to-nowhere", messages_to_nowhere},
    {"messages-of-nonsense", messages_of_nonsense},
    {"masked-all-the-time", masked_all_the_time},
    {"MSI-X-table-by-odd-widths", table_by_odd_widths},
    {"MSI-X-switched-in-flight", switched_in_flight},
};

}  // namespace

Cases message_cases() {
    return kCases;
}

}  // namespace guest
