// COM1 driver. See serial.h.
#include "lib/serial.h"

#include "lib/cpu_x86.h"
#include "lib/interrupts_x86.h"
#include "lib/ioapic.h"

namespace guest {
namespace {

constexpr unsigned kInputSize = 256;     // a power of two
constexpr unsigned kPollLimit = 100000;  // a UART that never empties must not hang us

struct Input {
    char bytes[kInputSize];
    unsigned head, tail;
};
constinit Input input = {};
constinit bool held = false;  // no receive interrupts until there is room: the sender waits, nothing is lost

void on_serial(InterruptFrame&) {
    while (!held && (uart_read(kUartLineStatus) & kLsrDataReady) != 0) {
        input.bytes[input.head++ % kInputSize] = static_cast<char>(uart_read(kUartData));
        held = input.head - input.tail == kInputSize;
    }
    if (held) uart_write(kUartInterruptEnable, 0);
    uart_read(kUartInterruptId);  // drops a transmit interrupt, should one be pending
}

void wait_for_room() {
    for (unsigned i = 0; i < kPollLimit; ++i)
        if ((uart_read(kUartLineStatus) & kLsrTransmitEmpty) != 0) return;
}

// One status read covers a FIFO full: each port access is an exit.
void send(char byte, unsigned& room) {
    if (room == 0) {
        wait_for_room();
        room = kUartFifoSize;
    }
    uart_write(kUartData, static_cast<std::uint8_t>(byte));
    --room;
}

}  // namespace

std::uint8_t uart_read(Uart reg) {
    return in8(static_cast<std::uint16_t>(kCom1 + reg));
}
void uart_write(Uart reg, std::uint8_t value) {
    out8(static_cast<std::uint16_t>(kCom1 + reg), value);
}

void serial_init() {
    uart_write(kUartInterruptEnable, 0);
    uart_write(kUartLineControl, 0x80);  // divisor latch
    uart_write(kUartData, 1);            // 115200 baud
    uart_write(kUartInterruptEnable, 0);
    uart_write(kUartLineControl, kLcr8N1);
    uart_write(kUartFifoControl, 0x07);  // enable and clear both FIFOs
    uart_write(kUartModemControl, kMcrDtrRts | kMcrOut2);
}

void serial_write(Text text) {
    unsigned room = 0;
    for (std::size_t i = 0; i < text.size; ++i) {
        if (text.data[i] == '\n') send('\r', room);
        send(text.data[i], room);
    }
}

void serial_input_enable() {
    set_handler(kSerialVector, on_serial);
    ioapic_route_isa(kCom1Irq, kSerialVector);
    uart_write(kUartInterruptEnable, kIerReceive);
}

bool serial_input_pending() {
    return *const_cast<const volatile unsigned*>(&input.head) != input.tail;
}

int serial_input_take() {
    if (!serial_input_pending()) return -1;
    const auto byte = static_cast<unsigned char>(input.bytes[input.tail++ % kInputSize]);
    if (held && !serial_input_pending()) {
        held = false;
        uart_write(kUartInterruptEnable, kIerReceive);  // interrupts at once if there is something
    }
    return byte;
}

}  // namespace guest
