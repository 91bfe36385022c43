// COM1, a 16550A (National Semiconductor PC16550D datasheet): polled output, input by interrupt.
#pragma once
#include <cstdint>

#include "lib/text.h"

namespace guest {

constexpr std::uint16_t kCom1 = 0x3f8;
constexpr unsigned kCom1Irq = 4;

// Registers as offsets from the base, PC16550D table II.
enum Uart : std::uint16_t {
    kUartData = 0,             // rw  receive buffer / transmit holding
    kUartInterruptEnable = 1,  // rw
    kUartInterruptId = 2,      // r-
    kUartFifoControl = 2,      // -w
    kUartLineControl = 3,      // rw
    kUartModemControl = 4,     // rw
    kUartLineStatus = 5,       // r-
    kUartModemStatus = 6,      // r-
    kUartScratch = 7,          // rw
};

constexpr std::uint8_t kIerReceive = 0x01;
constexpr std::uint8_t kIerTransmit = 0x02;
constexpr std::uint8_t kIirMask = 0x0f;
constexpr std::uint8_t kIirNone = 0x01;
constexpr std::uint8_t kIirTransmit = 0x02;
constexpr std::uint8_t kIirReceive = 0x04;
constexpr std::uint8_t kIirTimeout = 0x0c;
constexpr std::uint8_t kLcr8N1 = 0x03;
constexpr std::uint8_t kMcrDtrRts = 0x03;
constexpr std::uint8_t kMcrOut2 = 0x08;  // connects the interrupt on a PC
constexpr std::uint8_t kMcrLoop = 0x10;
constexpr std::uint8_t kLsrDataReady = 0x01;
constexpr std::uint8_t kLsrTransmitEmpty = 0x20;
constexpr unsigned kUartFifoSize = 16;

std::uint8_t uart_read(Uart reg);
void uart_write(Uart reg, std::uint8_t value);

void serial_init();
void serial_write(Text text);  // LF goes out as CR LF

// Input: routes GSI 4 to this CPU, collects bytes in the handler. local_apic and acpi must be up.
void serial_input_enable();
bool serial_input_pending();
// Takes a byte, -1 when there is none. Call with interrupts off, or while the handler can't run.
int serial_input_take();

}  // namespace guest
