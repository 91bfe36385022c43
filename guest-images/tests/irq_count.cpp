// Property: no interrupt is lost and none comes twice: as many interrupts as IPIs to itself, as THRE events,
// and as deadlines (one after the other). Option n= (default 100). Prints PASS or FAIL, powers off.
#include "lib/apic_x86.h"
#include "lib/boot_info.h"
#include "lib/clock_x86.h"
#include "lib/cpu_x86.h"
#include "lib/guest.h"
#include "lib/interrupts_x86.h"
#include "lib/ioapic.h"
#include "lib/serial.h"
#include "lib/sleep_x86.h"

using namespace guest;

namespace {

constexpr Text kName = "irq_count";
constexpr std::uint64_t kPatience = 1000000;

constinit volatile bool arrived = false;
constinit volatile std::uint64_t count = 0;

void on_event(InterruptFrame&) {
    count = count + 1;
    arrived = true;
}

// An interrupt that reads the source away: one for each time that the transmitter runs empty.
void on_serial(InterruptFrame& frame) {
    if ((uart_read(kUartInterruptId) & kIirMask) == kIirTransmit) on_event(frame);
}

template <typename Cause>
void check(const char* what, std::uint64_t n, Cause cause) {
    count = 0;
    for (std::uint64_t i = 0; i < n; ++i) {
        arrived = false;
        cause();
        interrupts_on();
        if (!wait_for(arrived, kPatience)) fail(kName, what, ": number ", i, " never came");
        interrupts_off();
    }
    interrupts_on();
    spin_us(500);
    interrupts_off();
    if (count != n) fail(kName, what, ": ", count, " interrupts for ", n, " events");
}

// While interrupts are off, any number of the same edge merge into one.
void check_merged() {
    count = 0;
    arrived = false;
    for (int i = 0; i < 5; ++i) send_ipi(local_apic_id(), kIpiVector);
    interrupts_on();
    (void)wait_for(arrived, kPatience);
    spin_us(500);
    interrupts_off();
    if (count != 1) fail(kName, "5 IPIs with interrupts off gave ", count, " interrupts");
}

}  // namespace

extern "C" void guest_main() {
    clock_init();
    const std::uint64_t n = option_number("n", 100);
    set_handler(kIpiVector, on_event);
    set_handler(kTimerVector, on_event);
    check("IPI to itself", n, [] { send_ipi(local_apic_id(), kIpiVector); });
    check_merged();
    check("timer", n, [] { arm_timer(kTimerVector, 50); });
    timer_stop();
    set_handler(kSerialVector, on_serial);
    ioapic_route_isa(kCom1Irq, kSerialVector);
    check("THRE", n, [] {
        uart_write(kUartInterruptEnable, 0);
        uart_write(kUartInterruptEnable,
                   kIerTransmit);  // enabling it while empty is one event (PC16550D 8.7)
    });
    uart_write(kUartInterruptEnable, 0);
    pass(kName, n, " of each kind");
}
