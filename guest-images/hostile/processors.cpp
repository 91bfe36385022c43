// Two processors at one device: one starts it and asks, the other does everything else meanwhile. Needs
// --cpus 2 or more; with one, the cases are left out.
#include "hostile/attack.h"
#include "hostile/second.h"

namespace guest {
namespace {

constexpr unsigned kRounds = 12;

// The device may be anything by the time that it is asked; it must come back from it.
const char* against(Attack& a, Meanwhile what) {
    if (!second_starts(what, a)) return nullptr;
    for (unsigned i = 0; i < kRounds; ++i) {
        if (!a.driver.try_to_start(a.packed)) continue;
        for (unsigned q = 0; q < a.driver.count; ++q) {
            a.driver.offer_request(q, attack_data());
            a.device().notify(q);
        }
        (void)a.device().status();
    }
    return second_ends() ? nullptr : "the other processor never came back";
}
// Nothing that the other one does changes what the device is for: requests must be answered.
const char* beside(Attack& a, Meanwhile what) {
    if (!second_starts(what, a)) return nullptr;
    const char* problem = nullptr;
    for (unsigned i = 0; i < kRounds && problem == nullptr; ++i) problem = a.driver.ask(a.queue);
    return second_ends() ? problem : "the other processor never came back";
}
const char* it_resets(Attack& a) {
    return against(a, Meanwhile::kReset);
}
const char* it_moves_the_bar(Attack& a) {
    const std::uint32_t home = a.device().bar();
    const char* problem = against(a, Meanwhile::kMoveBar);
    a.device().move(home);
    return problem;
}
const char* it_writes_registers(Attack& a) {
    return against(a, Meanwhile::kWriteRegisters);
}
const char* it_notifies(Attack& a) {
    return beside(a, Meanwhile::kNotify);
}
const char* it_changes_messages(Attack& a) {
    return beside(a, Meanwhile::kMessages);
}
const char* it_reads_config(Attack& a) {
    return beside(a, Meanwhile::kReadConfig);
}
const char* it_writes_rings(Attack& a) {
    return against(a, Meanwhile::kWriteRings);
}

constexpr Case kCases[] = {
    {"another-CPU-resets", it_resets, Rings::kBoth, false},
    {"another-CPU-moves-the-BAR", it_moves_the_bar, Rings::kBoth, false},
    {"another-CPU-writes-registers", it_writes_registers, Rings::kBoth, false},
    {"another-CPU-notifies", it_notifies},
    {"another-CPU-changes-messages", it_changes_messages, Rings::kBoth, false},
    {"another-CPU-reads-configuration", it_reads_config},
    {"another-CPU-writes-rings", it_writes_rings, Rings::kBoth, false},
};

}  // namespace

Cases processor_cases() {
    return second_is_there() ? Cases(kCases) : Cases();
}

}  // namespace guest
