// A UART with everything it is wired to, and a driver's words.
#pragma once

#include <string>
#include <string_view>

#include "devices/serial.h"
#include "tests/devices/fakes.h"

namespace carrel::test {

using namespace carrel::uart;

inline constexpr unsigned kFifosOn8 = 0x81;  // FIFOs on, trigger level 8

struct Rig {
    FakeIrq irq;
    FakeSink sink;
    FakeCoalescing coalescing;
    Serial uart{irq, sink, &coalescing};

    unsigned get(uint64_t offset) { return in8(uart, offset); }
    void put(uint64_t offset, unsigned value) { out8(uart, offset, value); }
    void type(std::string_view text) { uart.receive(bytes_of(text)); }
    // As a driver leaves it that works by interrupts.
    void open(unsigned interrupt_enable, unsigned fifo_control = 0) {
        put(kInterruptId, fifo_control);
        put(kModemControl, kMcrDtr | kMcrRts | kMcrOut2);
        put(kInterruptEnable, interrupt_enable);
    }
    std::string read_all() {
        std::string text;
        while ((get(kLineStatus) & kLsrDataReady) != 0) text.push_back(static_cast<char>(get(kData)));
        return text;
    }
};

}  // namespace carrel::test
