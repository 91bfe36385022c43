// Property: COM1's interrupts through the I/O APIC: transmit empty, receive and receive time-out in loop-back
// mode (MCR bit 4), line status; each clears as the datasheet (PC16550D) says. Prints PASS or FAIL, powers
// off.
#include "lib/clock_x86.h"
#include "lib/cpu_x86.h"
#include "lib/guest.h"
#include "lib/interrupts_x86.h"
#include "lib/ioapic.h"
#include "lib/serial.h"

using namespace guest;

namespace {

constexpr Text kName = "irq_serial";
constexpr std::uint64_t kPatience = 1000000;
constexpr std::uint8_t kIerLine = 0x04;
constexpr std::uint8_t kIirLine = 0x06;
constexpr std::uint8_t kLsrOverrun = 0x02;

constinit volatile bool arrived = false;
constinit volatile std::uint8_t cause = 0;

void on_serial(InterruptFrame&) {
    cause = uart_read(kUartInterruptId) & kIirMask;
    arrived = true;
}

void wait(const char* what) {
    interrupts_on();
    const bool came = wait_for(arrived, kPatience);
    interrupts_off();
    uart_write(kUartInterruptEnable, 0);
    if (!came) fail(kName, what, ": no interrupt on IRQ 4");
}

void expect_quiet(const char* what) {
    const std::uint8_t iir = uart_read(kUartInterruptId) & kIirMask;
    if (iir != kIirNone) fail(kName, what, ": IIR is ", Hex{iir}, ", not 1");
}

void check_transmit() {
    arrived = false;
    uart_write(kUartInterruptEnable, kIerTransmit);
    wait("THRE");
    if (cause != kIirTransmit) fail(kName, "THRE: IIR is ", Hex{cause}, ", not 2");
    uart_write(kUartInterruptEnable, kIerTransmit);
    (void)uart_read(kUartInterruptId);  // reading it as the source clears it
    expect_quiet("THRE read");
    uart_write(kUartInterruptEnable, 0);
}

void check_receive() {
    uart_write(kUartModemControl, kMcrDtrRts | kMcrOut2 | kMcrLoop);
    uart_write(kUartFifoControl, 0x07);  // trigger level 1
    if ((uart_read(kUartLineStatus) & kLsrDataReady) != 0)
        fail(kName, "data ready after the FIFOs were cleared");
    arrived = false;
    uart_write(kUartData, 'L');
    if ((uart_read(kUartLineStatus) & kLsrDataReady) == 0) spin_us(2000);  // a real line takes 87 us a byte
    if ((uart_read(kUartLineStatus) & kLsrDataReady) == 0) fail(kName, "loop-back: no data ready");
}

// OUT2 of MCR doesn't reach the pin in loop-back mode on the chip, so the interrupt is looked at outside of
// it.
void check_receive_interrupt() {
    uart_write(kUartModemControl, kMcrDtrRts | kMcrOut2);
    uart_write(kUartInterruptEnable, kIerReceive);
    wait("receive");
    if (cause != kIirReceive && cause != kIirTimeout)
        fail(kName, "receive: IIR is ", Hex{cause}, ", not 4 or 12");
    if (const std::uint8_t byte = uart_read(kUartData); byte != 'L')
        fail(kName, "loop-back: got ", Hex{byte});
    uart_write(kUartInterruptEnable, kIerReceive);
    expect_quiet("receive taken");
    uart_write(kUartInterruptEnable, 0);
}

void check_fifo_order() {
    uart_write(kUartModemControl, kMcrDtrRts | kMcrOut2 | kMcrLoop);
    uart_write(kUartFifoControl, 0x07);
    for (std::uint8_t i = 0; i < kUartFifoSize; ++i) {
        uart_write(kUartData, static_cast<std::uint8_t>('a' + i));
        spin_us(100);
    }
    for (std::uint8_t i = 0; i < kUartFifoSize; ++i)
        if (const std::uint8_t byte = uart_read(kUartData); byte != 'a' + i)
            fail(kName, "FIFO: byte ", i, " is ", Hex{byte});
    if ((uart_read(kUartLineStatus) & kLsrDataReady) != 0) fail(kName, "FIFO: data ready after 16 bytes");
}

void check_overrun() {
    for (unsigned i = 0; i < kUartFifoSize + 1; ++i) {
        uart_write(kUartData, 'x');
        spin_us(100);
    }
    uart_write(kUartInterruptEnable, kIerLine);
    const std::uint8_t iir = uart_read(kUartInterruptId) & kIirMask;
    const std::uint8_t lsr = uart_read(kUartLineStatus);
    if ((lsr & kLsrOverrun) == 0) fail(kName, "17 bytes in a FIFO of 16: no overrun, LSR ", Hex{lsr});
    if (iir != kIirLine) fail(kName, "overrun: IIR is ", Hex{iir}, ", not 6");
    if ((uart_read(kUartLineStatus) & kLsrOverrun) != 0) fail(kName, "reading LSR didn't clear the overrun");
    uart_write(kUartInterruptEnable, 0);
}

// PC16550D 8.6.7: in loop-back, DTR RTS OUT1 OUT2 appear as DSR CTS RI DCD.
void check_modem_lines() {
    uart_write(kUartModemControl, kMcrLoop | 0x01);
    const std::uint8_t dtr = uart_read(kUartModemStatus) & 0xf0;
    uart_write(kUartModemControl, kMcrLoop | 0x0e);
    const std::uint8_t others = uart_read(kUartModemStatus) & 0xf0;
    if (dtr != 0x20 || others != 0xd0) fail(kName, "loop-back modem lines: ", Hex{dtr}, " and ", Hex{others});
}

}  // namespace

extern "C" void guest_main() {
    clock_init();
    set_handler(kSerialVector, on_serial);
    ioapic_route_isa(kCom1Irq, kSerialVector);
    check_transmit();
    check_receive();
    check_receive_interrupt();
    check_fifo_order();
    check_overrun();
    check_modem_lines();
    serial_init();
    pass(kName, "THRE, receive, FIFO, overrun, modem lines");
}
