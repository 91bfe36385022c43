// The registers of a 16550A. National Semiconductor, PC16550D datasheet (June 1995), section 8 "Registers",
// table II "Summary of Registers". Offsets are relative to the UART's base.
#pragma once

#include <cstdint>

namespace carrel::uart {

//   offset  DLAB=0 read  DLAB=0 write  DLAB=1
enum Offset : uint64_t {
    kData = 0,             // -- r- RBR, -w THR     rw DLL
    kInterruptEnable = 1,  // rw IER                rw DLM
    kInterruptId = 2,      // r- IIR, -w FCR        the same
    kLineControl = 3,      // rw LCR
    kModemControl = 4,     // rw MCR
    kLineStatus = 5,       // r- LSR (a write is for the factory's tests: ignored)
    kModemStatus = 6,      // r- MSR (a write is ignored)
    kScratch = 7,          // rw SCR
    kRegisters = 8,
};

// IER, 8.7. Bits 4-7 read 0.
enum InterruptEnable : uint8_t {
    kIerReceived = 1u << 0,     // rw ERBFI: data available, and the character timeout with FIFOs on
    kIerTransmit = 1u << 1,     // rw ETBEI: THR empty (Linux: THRI)
    kIerLineStatus = 1u << 2,   // rw ELSI
    kIerModemStatus = 1u << 3,  // rw EDSSI
    kIerMask = 0x0f,
};

// IIR, 8.6, table III: in order of priority.
enum InterruptId : uint8_t {
    kIirLineStatus = 0x06,   // 1st; gone when LSR is read
    kIirReceived = 0x04,     // 2nd; gone when RBR, or the FIFO below its trigger level, is read
    kIirTimeout = 0x0c,      // 2nd; gone when RBR is read
    kIirTransmit = 0x02,     // 3rd; gone when THR is written, or IIR read while this is the answer
    kIirModemStatus = 0x00,  // 4th; gone when MSR is read
    kIirNone = 0x01,
    kIirFifosOn = 0xc0,  // r- bits 6 and 7 mirror FCR0
};

// FCR, 8.4. Bits 1, 2, 3, 6, 7 are taken only when bit 0 is written as 1.
enum FifoControl : uint8_t {
    kFcrEnable = 1u << 0,         // -w a change clears both FIFOs
    kFcrClearReceive = 1u << 1,   // -w clears itself
    kFcrClearTransmit = 1u << 2,  // -w clears itself; ours is always empty
    kFcrDmaMode = 1u << 3,        // -w kept, no effect: there are no DMA pins
    kFcrTrigger = 0xc0,           // -w 00: 1, 01: 4, 10: 8, 11: 14 characters
    kFcrKept = kFcrEnable | kFcrDmaMode | kFcrTrigger,
    kFcrTriggerShift = 6,
};

// LCR, 8.1.
enum LineControl : uint8_t {
    kLcrFormat = 0x3f,    // rw word length, stop bits, parity: kept, no effect
    kLcrBreak = 1u << 6,  // rw kept, no effect: a ByteSink has no break
    kLcrDlab = 1u << 7,   // rw offsets 0 and 1 are the divisor latch
};

// MCR, 8.8. Bits 5-7 read 0 (so no automatic flow control, which is the 16550C's).
enum ModemControl : uint8_t {
    kMcrDtr = 1u << 0,   // rw
    kMcrRts = 1u << 1,   // rw
    kMcrOut1 = 1u << 2,  // rw
    kMcrOut2 = 1u << 3,  // rw on a PC: the gate between INTR and the interrupt line
    kMcrLoop = 1u << 4,  // rw
    kMcrMask = 0x1f,
};

// LSR, 8.5.
enum LineStatus : uint8_t {
    kLsrDataReady = 1u << 0,               // r-
    kLsrOverrun = 1u << 1,                 // r- cleared by the read
    kLsrBreak = 1u << 4,                   // r- cleared by the read
    kLsrTransmitEmpty = 1u << 5,           // r- THRE; always 1
    kLsrTransmitterEmpty = 1u << 6,        // r- TEMT; always 1
    kLsrFifoError = 1u << 7,               // r- 0 with FIFOs off
    kLsrErrors = kLsrOverrun | kLsrBreak,  // parity and framing errors don't happen here
};

// MSR, 8.9. The low half is cleared by the read.
enum ModemStatus : uint8_t {
    kMsrDeltaCts = 1u << 0,      // r-
    kMsrDeltaDsr = 1u << 1,      // r-
    kMsrTrailingRing = 1u << 2,  // r- RI went from 1 to 0 (as this register shows it)
    kMsrDeltaDcd = 1u << 3,      // r-
    kMsrCts = 1u << 4,           // r-
    kMsrDsr = 1u << 5,           // r-
    kMsrRing = 1u << 6,          // r-
    kMsrDcd = 1u << 7,           // r-
    kMsrDeltas = 0x0f,
};

}  // namespace carrel::uart
