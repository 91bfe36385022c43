// Resets at the worst moment: afterwards no byte of a request that was under way may change. VIRTIO 1.3,
// sections 2.1.2, 2.4 and 4.1.4.3.2; the function's own reset, "Advanced Capabilities for Conventional PCI"
// ECN of 2006.
#include "hostile/attack.h"
#include "lib/clock_x86.h"

namespace guest {
namespace {

constexpr std::uint8_t kMark = 0xa5;
constexpr unsigned kFlights = 4;
constexpr unsigned kResetControl = 4;  // in the capability
constexpr std::uint64_t kLinger = 5000;

// As many large requests as fit, and at once.
void take_off(Attack& a) {
    for (unsigned i = 0; i < kFlights; ++i) a.offer({attack_data(), kAttackData, kDescWrite});
    a.kick();
}

// Whatever the device still did would show.
const char* nothing_moves(Attack& a) {
    for (unsigned at = 0; at < kAttackData; at += 64) write_physical(attack_data() + at, kMark);
    a.ring().set_available_index(0);
    const QueuePlace place = a.ring().place();
    const auto before = read_physical<std::uint64_t>(place.device_area);
    spin_us(kLinger);
    for (unsigned at = 0; at < kAttackData; at += 64)
        if (read_physical<std::uint8_t>(attack_data() + at) != kMark)
            return "a request still writes after the reset";
    return read_physical<std::uint64_t>(place.device_area) == before ? nullptr
                                                                     : "a ring is written after the reset";
}

const char* in_flight(Attack& a) {
    take_off(a);
    return a.device().reset() ? nothing_moves(a) : "it doesn't reset";
}
const char* twice_in_flight(Attack& a) {
    for (unsigned i = 0; i < 8; ++i) {
        take_off(a);
        a.device().set_status(0);
        a.device().set_status(0);
        if (const char* problem = a.driver.start(a.packed)) return problem;
    }
    take_off(a);
    return a.device().reset() ? nothing_moves(a) : "it doesn't reset";
}
const char* function_reset(Attack& a) {
    const unsigned slot = a.device().slot();
    const unsigned capability = pci_capability(slot, kPciResetCapability);
    if (capability == 0) return nullptr;
    take_off(a);
    pci_write<std::uint8_t>(slot, capability + kResetControl, 1);
    if (pci_read<std::uint16_t>(slot, kPciCommand) != 0) return "the function wasn't reset";
    const char* problem = nothing_moves(a);
    return a.driver.open(slot) ? problem : "the function has gone";
}
const char* without_end(Attack& a) {
    for (unsigned i = 0; i < 200; ++i) a.device().set_status(0);
    return a.device().status() == 0 ? nullptr : "it doesn't reset";
}
// Requests go on while the function may not decode, and come back.
const char* decoding_off_in_flight(Attack& a) {
    take_off(a);
    pci_write<std::uint16_t>(a.device().slot(), kPciCommand, 0);
    if (read_physical<std::uint32_t>(a.device().common()) != 0xffffffff)
        return "registers answer that aren't decoded";
    a.kick();
    pci_write<std::uint16_t>(a.device().slot(), kPciCommand, kPciDecodeMemory | kPciMaster);
    Used used;
    for (unsigned i = 0; a.driver.can_ask() && i < kFlights; ++i)
        if (!a.ring().wait(used, kPatience)) return "a request never came back";
    return nullptr;
}

// One queue alone, 2.6.1 and 4.1.4.3: it is gone at once, and comes back where it is set up again.
const char* queue_reset(Attack& a) {
    if ((a.device().offered() & kFeatureRingReset) == 0) return nullptr;
    if (const char* problem = a.driver.start(a.packed, kFeatureIndirect | kFeatureRingReset)) return problem;
    const QueuePlace place = a.ring().place();
    take_off(a);
    for (unsigned i = 0; i < 3; ++i) {
        a.device().put(kQueueSelect, static_cast<std::uint16_t>(a.queue));
        a.device().put<std::uint16_t>(kQueueReset, 1);
    }
    if (a.device().get<std::uint16_t>(kQueueEnable) != 0) return "a queue that was reset is enabled";
    if (const char* problem = nothing_moves(a)) return problem;
    a.kick();
    a.driver.begin(a.queue);
    a.device().set_queue(a.queue, place);
    return a.driver.ask(a.queue);
}
const char* queue_reset_not_agreed(Attack& a) {
    a.device().put(kQueueSelect, static_cast<std::uint16_t>(a.queue));
    a.device().put<std::uint16_t>(kQueueReset, 1);
    return a.driver.ask(a.queue);
}

constexpr Case kCases[] = {
    {"reset-in-flight", in_flight, Rings::kBoth, false},
    {"resets-in-flight", twice_in_flight, Rings::kBoth, false},
    {"function-reset-in-flight", function_reset, Rings::kBoth, false},
    {"queue-reset-in-flight", queue_reset},
    {"queue-reset-not-agreed", queue_reset_not_agreed},
    {"resets-without-end", without_end, Rings::kBoth, false},
    {"decoding-off-in-flight", decoding_off_in_flight},
};

}  // namespace

Cases reset_cases() {
    return kCases;
}

}  // namespace guest
