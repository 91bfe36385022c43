// Property: whatever a driver does, the device that it does it to works afterwards, or says NEEDS_RESET and
// works after a reset; and every other device works all the time. One line a case, `ok DEVICE.QUEUE NAME` or
// `not ok DEVICE.QUEUE NAME: WHY`; then the verdict, and the end. Options: only= (the beginning of a case's
// name), device= (net, blk, rng, …), count=1 (no lines for what is good).
//
// The cases that write to a disk write sector 8 and no other. The first disk that can be written should be of
// little value all the same.
#include <initializer_list>

#include "hostile/attack.h"
#include "hostile/second.h"
#include "lib/boot_info.h"
#include "lib/clock_x86.h"
#include "lib/guest.h"

using namespace guest;

namespace {

constexpr Text kName = "hostile_virtio";
constexpr unsigned kMostDevices = 12;

constinit Driver drivers[kMostDevices] = {};
constinit unsigned driver_count = 0;
constinit unsigned good = 0, bad = 0;

void find_devices() {
    for (unsigned slot = 0; slot < kPciSlots && driver_count < kMostDevices; ++slot)
        if (drivers[driver_count].open(slot)) ++driver_count;
}

// One of the others, each in its turn: all of them each time would be most of the time.
const char* witness_works(const Driver& subject) {
    static constinit unsigned turn = 0;
    const unsigned next = ++turn % driver_count;
    return &drivers[next] == &subject ? drivers[(next + 1) % driver_count].ask() : drivers[next].ask();
}

void report(const Attack& a, const Case& test, const char* problem, const char* where) {
    problem == nullptr ? ++good : ++bad;
    if (problem == nullptr && option_number("count", 0) != 0) return;
    print(problem == nullptr ? "ok " : "not ok ", virtio_name(a.device().type()), "-", a.device().slot(), ".",
          a.queue, a.packed ? " packed " : " ", test.name);
    if (problem != nullptr) print(": ", where, problem);
    print("\n");
}

// Device and queue as the attack left them; then after a reset; then everybody else.
void run(Attack& a, const Case& test) {
    if (const char* problem = a.driver.start(a.packed)) return report(a, test, problem, "before: ");
    if (const char* problem = test.run(a)) return report(a, test, problem, "");
    if (test.goes_on && !a.device().needs_reset())
        if (const char* problem = a.driver.ask(a.queue)) return report(a, test, problem, "afterwards: ");
    if (const char* problem = a.driver.start(a.packed)) return report(a, test, problem, "after a reset: ");
    if (const char* problem = a.driver.ask(a.queue)) return report(a, test, problem, "after a reset: ");
    if (const char* problem = witness_works(a.driver)) return report(a, test, problem, "another device: ");
    report(a, test, canary_lives() ? nullptr : "memory was written that no descriptor names", "");
}

bool fits(const Case& test, bool packed) {
    if (!starts_with(test.name, option("only"))) return false;
    return test.rings == Rings::kBoth || (test.rings == Rings::kPacked) == packed;
}

void run_all(Driver& driver, unsigned queue, bool packed, Cases cases) {
    for (const Case& test : cases) {
        Attack attack{driver, queue, packed};
        if (fits(test, packed)) run(attack, test);
    }
}

void run_device(Driver& driver, bool packed) {
    if (const char* problem = driver.start(packed))
        fail(kName, virtio_name(driver.device.type()), ": ", problem);
    for (unsigned queue = 0; queue < driver.count; ++queue) {
        run_all(driver, queue, packed, chain_cases());
        run_all(driver, queue, packed, address_cases());
        run_all(driver, queue, packed, ring_cases());
    }
    for (const auto family :
         {register_cases, reset_cases, message_cases, config_cases, bar_cases, processor_cases})
        run_all(driver, 0, packed, family());
    if (const char* problem = driver.start()) fail(kName, virtio_name(driver.device.type()), ": ", problem);
}

// The first of each type.
bool wanted(const Driver& driver) {
    for (const Driver* other = drivers; other != &driver; ++other)
        if (other->device.type() == driver.device.type()) return false;
    const Text only = option("device");
    return only.empty() || only == Text(virtio_name(driver.device.type()));
}

}  // namespace

namespace guest {

std::uint32_t other_bar(const Attack& attack) {
    for (unsigned i = 0; i < driver_count; ++i)
        if (&drivers[i] != &attack.driver) return drivers[i].device.bar();
    return 0;
}

const char* others_work(const Attack& attack) {
    return witness_works(attack.driver);
}

}  // namespace guest

extern "C" void guest_main() {
    clock_init();
    if (const char* problem = second_boots()) fail(kName, problem);
    find_devices();
    if (driver_count == 0) fail(kName, "there is no virtio device; see --disk and --rng");
    for (unsigned i = 0; i < driver_count; ++i)
        if (const char* problem = drivers[i].start())
            fail(kName, virtio_name(drivers[i].device.type()), ": ", problem);
    (void)canary_lives();
    for (unsigned i = 0; i < driver_count; ++i) {
        if (!wanted(drivers[i])) continue;
        const bool packed = (drivers[i].device.offered() & kFeaturePacked) != 0;
        run_device(drivers[i], false);
        if (packed) run_device(drivers[i], true);
    }
    if (bad != 0) fail(kName, bad, " of ", good + bad, " cases");
    pass(kName, good, " cases on ", driver_count, " devices");
}
