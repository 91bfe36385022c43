// Property: the whole state of the machine may be saved and restored at any exit and the guest notices
// nothing. Each round fills registers, flags, SSE, CR2, debug registers, MSRs, the local APIC, I/O APIC,
// UART, PCI address and CMOS with numbers of that round, makes a hundred or so port exits, and checks them;
// and takes exactly one timer and one serial interrupt, awake and in HLT. The other CPUs walk their registers
// meanwhile. Options: rounds= (default 100), fpu=1 (also MXCSR and the x87 control word, which an
// interpreting KVM may refuse). Prints `state_walk round N checksum X` every 10 rounds, the same in every
// run; ends with PASS or FAIL and powers off.
#include "lib/apic_x86.h"
#include "lib/atomic.h"
#include "lib/boot_info.h"
#include "lib/clock_x86.h"
#include "lib/cpu_x86.h"
#include "lib/guest.h"
#include "lib/interrupts_x86.h"
#include "lib/ioapic.h"
#include "lib/rtc.h"
#include "lib/serial.h"
#include "lib/sleep_x86.h"
#include "lib/smp.h"
#include "tests/state_walk_registers.h"

using namespace guest;

namespace {

constexpr Text kName = "state_walk";
constexpr std::uint64_t kPatience = 5000000;
constexpr std::uint16_t kPciAddress = 0xcf8;
constexpr std::uint16_t kPciData = 0xcfc;
constexpr std::uint16_t kScratchPort = kCom1 + kUartScratch;
constexpr std::uint16_t kUnmapped = 0x5a00;

constinit std::uint64_t sum = 0;
constinit volatile std::uint64_t timer_count = 0;
constinit volatile std::uint64_t serial_count = 0;
constinit volatile bool timer_came = false;
constinit volatile bool serial_came = false;
constinit std::uint64_t last_tsc = 0;
constinit std::uint64_t last_ns = 0;
constinit std::uint32_t host_bridge = 0;
constinit Atomic<unsigned> stop(0);
constinit Atomic<unsigned> stopped(0);
constinit Atomic<unsigned> bad_walks(0);

void fold(std::uint64_t value) {
    sum = mix(sum ^ value);
}

void expect(const char* what, std::uint64_t got, std::uint64_t wanted, std::uint64_t round) {
    if (got != wanted) fail(kName, "round ", round, ": ", what, " is ", Hex{got}, ", not ", Hex{wanted});
    fold(got);
}

// ---- what stays in devices from one round to the next ----
struct DeviceValues {
    std::uint8_t scratch, line_control, modem_control, nvram, alarm, divisor;
    std::uint32_t pci_address;
};

DeviceValues device_values(std::uint64_t round) {
    const std::uint64_t x = mix(round + 1000);
    return {static_cast<std::uint8_t>(x),
            static_cast<std::uint8_t>(x >> 8 & 0x3f),
            static_cast<std::uint8_t>((x >> 16 & 0x07) | kMcrOut2),
            static_cast<std::uint8_t>(x >> 24),
            static_cast<std::uint8_t>(x >> 32 & 0x3f),
            static_cast<std::uint8_t>((x >> 40) | 1),
            static_cast<std::uint32_t>(0x80000000 | (x & 0x00fffffc))};
}

constexpr auto kNvram = static_cast<Cmos>(0x51);
constexpr std::uint8_t kDivisorLatch = 0x80;

void set_divisor(std::uint8_t line_control, std::uint8_t divisor) {
    uart_write(kUartLineControl, kDivisorLatch);
    uart_write(kUartData, divisor);
    uart_write(kUartLineControl, line_control);
}

std::uint8_t divisor(std::uint8_t line_control) {
    uart_write(kUartLineControl, kDivisorLatch);
    const std::uint8_t value = uart_read(kUartData);
    uart_write(kUartLineControl, line_control);
    return value;
}

void write_devices(std::uint64_t round) {
    const DeviceValues v = device_values(round);
    set_divisor(v.line_control, v.divisor);
    uart_write(kUartModemControl, v.modem_control);
    uart_write(kUartScratch, v.scratch);
    cmos_write(kNvram, v.nvram);
    cmos_write(Cmos::kMinutesAlarm, v.alarm);
    out32(kPciAddress, v.pci_address);
}

void check_devices(std::uint64_t round) {
    const DeviceValues v = device_values(round);
    expect("PCI address", in32(kPciAddress), v.pci_address, round);
    expect("UART scratch", uart_read(kUartScratch), v.scratch, round);
    expect("UART line control", uart_read(kUartLineControl), v.line_control, round);
    expect("UART modem control", uart_read(kUartModemControl), v.modem_control, round);
    expect("UART divisor", divisor(v.line_control), v.divisor, round);
    expect("CMOS RAM", cmos_read(kNvram), v.nvram, round);
    expect("CMOS alarm", cmos_read(Cmos::kMinutesAlarm), v.alarm, round);
    uart_write(kUartLineControl, kLcr8N1);
    uart_write(kUartModemControl, kMcrDtrRts | kMcrOut2);
}

void check_host_bridge(std::uint64_t round) {
    out32(kPciAddress, 0x80000000);
    const std::uint32_t id = in32(kPciData);
    if (round == 0) host_bridge = id;
    if (id != host_bridge)
        fail(kName, "round ", round, ": PCI 00:00.0 is ", Hex{id}, ", was ", Hex{host_bridge});
}

// Bytes in the receive FIFO survive the exits that reading other registers makes.
void check_fifo(std::uint64_t round) {
    uart_write(kUartModemControl, kMcrDtrRts | kMcrOut2 | kMcrLoop);
    uart_write(kUartFifoControl, 0x07);
    for (unsigned i = 0; i < 3; ++i) {
        uart_write(kUartData, static_cast<std::uint8_t>(mix(round) >> 8 * i));
        if ((uart_read(kUartLineStatus) & kLsrTransmitEmpty) == 0) spin_us(200);
    }
    for (unsigned i = 0; i < 10; ++i) (void)uart_read(kUartScratch);
    for (unsigned i = 0; i < 3; ++i)
        expect("UART FIFO", uart_read(kUartData), mix(round) >> 8 * i & 0xff, round);
    uart_write(kUartModemControl, kMcrDtrRts | kMcrOut2);
}

// ---- interrupts ----
void on_timer(InterruptFrame&) {
    timer_count = timer_count + 1;
    timer_came = true;
}

void on_serial(InterruptFrame&) {
    if ((uart_read(kUartInterruptId) & kIirMask) != kIirTransmit) return;
    serial_count = serial_count + 1;
    serial_came = true;
}

// Pending across exits with interrupts off, then taken; in odd rounds waited for in HLT.
void take_timer_interrupt(std::uint64_t round) {
    timer_came = false;
    arm_timer(kTimerVector, 100);
    if (round % 2 == 0) {
        for (unsigned i = 0; i < 30; ++i) (void)in8(kUnmapped);
        interrupts_on();
        (void)wait_for(timer_came, kPatience);
        interrupts_off();
    } else {
        while (!timer_came) sleep_until_interrupt();
    }
    expect("timer interrupts", timer_count, round + 1, round);
}

void take_serial_interrupt(std::uint64_t round) {
    serial_came = false;
    uart_write(kUartInterruptEnable, kIerTransmit);
    for (unsigned i = 0; i < 5; ++i) (void)in8(kUnmapped);
    interrupts_on();
    (void)wait_for(serial_came, kPatience);
    for (unsigned i = 0; i < 5; ++i) (void)in8(kUnmapped);
    interrupts_off();
    uart_write(kUartInterruptEnable, 0);
    expect("serial interrupts", serial_count, round + 1, round);
}

void check_clocks(std::uint64_t round) {
    const std::uint64_t tsc = rdtsc();
    const std::uint64_t ns = kvm_clock_ns();
    if (tsc < last_tsc) fail(kName, "round ", round, ": the TSC went back by ", last_tsc - tsc);
    if (ns < last_ns) fail(kName, "round ", round, ": kvm-clock went back by ", last_ns - ns, " ns");
    last_tsc = tsc;
    last_ns = ns;
}

// ---- rounds ----
void walk(std::uint64_t round) {
    RegisterFile wanted = {}, got = {};
    fill(wanted, round, kScratchPort);
    walk_registers(&wanted, &got);
    for (unsigned i = 0; i < RegisterFile::kWords; ++i)
        expect("register", got.words[i], wanted.words[i], round);
    expect("UART scratch", uart_read(kUartScratch), wanted.words[0] & 0xff, round);
}

void run_round(std::uint64_t round, bool fpu) {
    write_system_registers(round, fpu);
    check_fifo(round);
    check_host_bridge(round);
    walk(round);
    write_devices(round);
    take_timer_interrupt(round);
    check_devices(round);
    take_serial_interrupt(round);
    check_system_registers(round, fpu,
                           [](const char* what, std::uint64_t got, std::uint64_t wanted, std::uint64_t at) {
                               expect(what, got, wanted, at);
                           });
    check_clocks(round);
}

// On the other CPUs until the boot CPU is done.
void walk_on(unsigned index) {
    interrupts_on();
    RegisterFile wanted = {}, got = {};
    for (std::uint64_t round = 0; stop.load() == 0; ++round) {
        fill(wanted, round * MAX_CPUS + index, kUnmapped);
        wanted.words[RegisterFile::kFlags] |= RegisterFile::kInterruptFlag;
        walk_registers(&wanted, &got);
        for (unsigned i = 0; i < RegisterFile::kWords; ++i)
            if (got.words[i] != wanted.words[i]) bad_walks.fetch_add(1);
    }
    stopped.fetch_add(1);
}

void end_other_cpus(unsigned cpus) {
    stop.store(1);
    const std::uint64_t start = rdtsc();
    while (stopped.load() + 1 < cpus)
        if (tsc_to_us(rdtsc() - start) > kPatience)
            fail(kName, stopped.load() + 1, " of ", cpus, " CPUs still run");
    if (bad_walks.load() != 0) fail(kName, bad_walks.load(), " wrong registers on the other CPUs");
}

}  // namespace

extern "C" void guest_main() {
    clock_init();
    const std::uint64_t rounds = option_number("rounds", 100);
    const bool fpu = option_number("fpu", 0) != 0;
    set_handler(kTimerVector, on_timer);
    set_handler(kSerialVector, on_serial);
    ioapic_route_isa(kCom1Irq, kSerialVector);
    const SmpResult cpus = start_cpus(walk_on);
    if (cpus.problem != nullptr) fail(kName, cpus.problem);
    for (std::uint64_t round = 0; round < rounds; ++round) {
        run_round(round, fpu);
        if ((round + 1) % 10 == 0) print("state_walk round ", round + 1, " checksum ", Hex{sum}, "\n");
    }
    end_other_cpus(cpus.running);
    pass(kName, "rounds ", rounds, " checksum ", Hex{sum});
}
