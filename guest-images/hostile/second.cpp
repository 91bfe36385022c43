#include "hostile/second.h"

#include "lib/atomic.h"
#include "lib/clock_x86.h"
#include "lib/smp.h"

namespace guest {
namespace {

constexpr std::uint64_t kStopPatience = 30000000;  // longer than a reset may take

// Some accesses keep the device for milliseconds (KVM waits for all processors when a doorbell or a message
// moves), and the next in line is whoever asks next: a processor that never pauses would have the device for
// itself.
constexpr std::uint64_t kGap = 300;

constinit Atomic<unsigned> wanted(0);  // a Meanwhile
constinit Atomic<unsigned> doing(0);
constinit VirtioPci target = {};
constinit QueuePlace ring = {};
constinit unsigned queue_count = 0;
constinit bool there = false;

void write_registers(unsigned turn) {
    const unsigned at = turn * 5 % 56;
    if (at != kDeviceStatus)
        write_physical<std::uint16_t>(target.common() + at, static_cast<std::uint16_t>(turn * 77));
    write_physical<std::uint32_t>(target.common() + at / 4 * 4, turn * 0x01010101);
    target.set_status(turn & 0xff);
}

// ECAM: the ports' address register is the other processor's.
void move_bar(unsigned turn) {
    if (acpi().ecam == 0) return;
    const std::uint32_t to = turn % 3 == 0 ? 0xd0000000 : turn % 3 == 1 ? 0x00200000 : target.bar();
    write_physical(ecam_address(target.slot(), kPciBar0), to);
}

void change_messages(unsigned turn) {
    target.set_vector(turn % 3, 0xfee00000, 32 + turn % 32, turn % 2 == 0);
    if (acpi().ecam == 0) return;
    const auto control =
        static_cast<std::uint16_t>(turn % 8 == 0 ? 0 : kMsixEnable | (turn % 8 == 1 ? kMsixFunctionMask : 0));
    write_physical(ecam_address(target.slot(), target.msix() + kMsixControl), control);
}

void write_rings(unsigned turn) {
    const std::uint64_t areas[] = {ring.descriptors, ring.driver_area, ring.device_area};
    const unsigned sizes[] = {ring.size * 16u, ring.size * 2u + 6, ring.size * 8u + 6};
    const unsigned which = turn % 3;
    write_physical(areas[which] + turn * 7 % (sizes[which] - 2), static_cast<std::uint16_t>(turn * 0x9e37));
}

void once(Meanwhile what, unsigned turn) {
    switch (what) {
        case Meanwhile::kReset: return target.set_status(0);
        case Meanwhile::kMoveBar: return move_bar(turn);
        case Meanwhile::kWriteRegisters: return write_registers(turn);
        case Meanwhile::kNotify: return target.notify(turn % queue_count);
        case Meanwhile::kMessages: return change_messages(turn);
        case Meanwhile::kReadConfig:
            (void)read_physical<std::uint32_t>(target.common() + turn * 4 % 64);
            (void)read_physical<std::uint32_t>(target.device_config() + turn * 4 % 64);
            return;
        case Meanwhile::kWriteRings: return write_rings(turn);
        case Meanwhile::kNothing: return pause();
    }
}

void run(unsigned index) {
    if (index != 1) return;
    for (unsigned turn = 0;; ++turn) {
        const unsigned what = wanted.load();
        once(static_cast<Meanwhile>(what), turn);
        doing.store(what);
        if (what != static_cast<unsigned>(Meanwhile::kNothing)) spin_us(kGap);
    }
}

bool wait_until(Meanwhile what) {
    wanted.store(static_cast<unsigned>(what));
    const std::uint64_t start = rdtsc();
    while (doing.load() != static_cast<unsigned>(what)) {
        if (tsc_to_us(rdtsc() - start) > kStopPatience) return false;
        pause();
    }
    return true;
}

}  // namespace

const char* second_boots() {
    const SmpResult result = start_cpus(run);
    there = result.running > 1;
    return result.problem;
}

bool second_is_there() {
    return there;
}

bool second_starts(Meanwhile what, const Attack& attack) {
    if (!there) return false;
    target = attack.device();
    ring = attack.ring().place();
    queue_count = attack.driver.count;
    return wait_until(what);
}

bool second_ends() {
    return wait_until(Meanwhile::kNothing);
}

}  // namespace guest
