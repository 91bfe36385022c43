// Registers, interrupts, loopback: what a driver sees of the chip.
#include "tests/catch.h"
#include "tests/devices/serial_rig.h"

using namespace carrel;
using namespace carrel::test;

TEST_CASE("serial: after power-on it is idle, empty, and the other end is ready") {
    Rig rig;
    CHECK(rig.get(kInterruptEnable) == 0);
    CHECK(rig.get(kInterruptId) == kIirNone);
    CHECK(rig.get(kLineControl) == 0);
    CHECK(rig.get(kModemControl) == 0);
    CHECK(rig.get(kLineStatus) == 0x60);
    CHECK(rig.get(kModemStatus) == (kMsrCts | kMsrDsr | kMsrDcd));
    CHECK_FALSE(rig.irq.level);
}

TEST_CASE("serial: registers keep the bits they have and no others") {
    Rig rig;
    rig.put(kInterruptEnable, 0xff);
    CHECK(rig.get(kInterruptEnable) == 0x0f);
    rig.put(kModemControl, 0xff);
    CHECK(rig.get(kModemControl) == 0x1f);
    rig.put(kScratch, 0xa5);
    CHECK(rig.get(kScratch) == 0xa5);
    rig.put(kLineStatus, 0xff);
    CHECK(rig.get(kLineStatus) == 0x60);
}

TEST_CASE("serial: the divisor latch lies over offsets 0 and 1 while DLAB is set") {
    Rig rig;
    rig.put(kInterruptEnable, 0x05);
    rig.put(kLineControl, 0x83);
    rig.put(0, 0x01);
    rig.put(1, 0x02);
    CHECK(rig.get(0) == 0x01);
    CHECK(rig.get(1) == 0x02);
    rig.put(kLineControl, 0x03);
    CHECK(rig.get(kInterruptEnable) == 0x05);
    CHECK(rig.sink.text.empty());
    rig.put(kData, 'x');
    CHECK(rig.sink.text == "x");
}

TEST_CASE("serial: a wide access is a row of narrow ones, and beyond the last register there are ones") {
    Rig rig;
    out32(rig.uart, kLineControl, 0x5a00'0b03);  // LCR, MCR, LSR, MSR
    CHECK(rig.get(kLineControl) == 0x03);
    CHECK(rig.get(kModemControl) == 0x0b);
    out16(rig.uart, kData, 0x0f00 | 'y');
    CHECK(rig.sink.text == "y");
    CHECK(rig.get(kInterruptEnable) == 0x0f);
    rig.put(kScratch, 0x77);
    CHECK(in32(rig.uart, kScratch) == 0xffff'ff77);
    out<uint64_t>(rig.uart, kScratch, 0x1122334455667788);
    CHECK(rig.get(kScratch) == 0x88);
}

TEST_CASE("serial: the THRE interrupt") {
    Rig rig;
    SECTION("enabling it while THR is empty interrupts at once, each time anew") {
        rig.open(kIerTransmit);
        CHECK(rig.irq.level);
        CHECK(rig.get(kInterruptId) == kIirTransmit);
        CHECK_FALSE(rig.irq.level);
        CHECK(rig.get(kInterruptId) == kIirNone);
        rig.put(kInterruptEnable, kIerTransmit);  // it was on: no new cause
        CHECK(rig.get(kInterruptId) == kIirNone);
        rig.put(kInterruptEnable, 0);
        rig.put(kInterruptEnable, kIerTransmit);
        CHECK(rig.get(kInterruptId) == kIirTransmit);
    }
    SECTION("a byte sent interrupts again, and the line falls in between for an edge-triggered input") {
        rig.open(kIerTransmit);
        CHECK(rig.irq.edges == 1);
        rig.put(kData, 'a');
        CHECK(rig.irq.level);
        CHECK(rig.irq.edges == 2);
    }
    SECTION("reading IIR doesn't clear it while it answers with something more urgent") {
        rig.open(kIerTransmit | kIerReceived);
        rig.type("k");
        CHECK(rig.get(kInterruptId) == kIirReceived);
        CHECK(rig.get(kData) == 'k');
        CHECK(rig.get(kInterruptId) == kIirTransmit);
        CHECK(rig.get(kInterruptId) == kIirNone);
    }
    SECTION("disabling it lowers the line") {
        rig.open(kIerTransmit);
        rig.put(kInterruptEnable, 0);
        CHECK_FALSE(rig.irq.level);
    }
}

TEST_CASE("serial: OUT2 is the gate of the interrupt line") {
    Rig rig;
    rig.put(kInterruptEnable, kIerTransmit);
    CHECK_FALSE(rig.irq.level);
    rig.put(kModemControl, kMcrOut2);
    CHECK(rig.irq.level);
    rig.put(kModemControl, kMcrOut2 | kMcrLoop);  // the pin is inactive in loopback
    CHECK_FALSE(rig.irq.level);
    CHECK(rig.get(kInterruptId) == kIirTransmit);
}

TEST_CASE("serial: received data interrupts until it is read") {
    Rig rig;
    rig.open(kIerReceived);
    rig.type("hi");
    CHECK(rig.irq.level);
    CHECK(rig.get(kInterruptId) == kIirReceived);
    CHECK((rig.get(kLineStatus) & kLsrDataReady) != 0);
    CHECK(rig.get(kData) == 'h');
    CHECK(rig.get(kData) == 'i');
    CHECK_FALSE(rig.irq.level);
    CHECK(rig.get(kLineStatus) == 0x60);
}

TEST_CASE("serial: the FIFO's trigger levels, and the timeout for what is below them") {
    const auto [control, level] =
        GENERATE(std::pair{0x01u, 1u}, std::pair{0x41u, 4u}, std::pair{0x81u, 8u}, std::pair{0xc1u, 14u});
    Rig rig;
    rig.open(kIerReceived, control);
    CHECK(rig.get(kInterruptId) == (kIirFifosOn | kIirNone));
    for (unsigned i = 1; i < level; ++i) {
        rig.type("x");
        CHECK(rig.get(kInterruptId) == (kIirFifosOn | kIirTimeout));
    }
    rig.type("x");
    CHECK(rig.get(kInterruptId) == (kIirFifosOn | kIirReceived));
    rig.get(kData);
    CHECK(rig.get(kInterruptId) == (kIirFifosOn | (level == 1 ? kIirNone : kIirTimeout)));
}

TEST_CASE(
    "serial: FCR's other bits count only together with bit 0, and changing that makes the line send again") {
    Rig rig;
    rig.open(kIerReceived, 0xc0);
    CHECK(rig.get(kInterruptId) == kIirNone);
    rig.put(kInterruptId, 0x01);
    CHECK(rig.get(kInterruptId) == 0xc1);
    rig.type("abc");
    rig.put(kInterruptId, 0x03);  // clears the receive FIFO
    CHECK((rig.get(kLineStatus) & kLsrDataReady) == 0);
    rig.type("abc");
    rig.put(kInterruptId, 0x00);
    CHECK(rig.get(kInterruptId) == kIirReceived);
    CHECK(rig.read_all() == "abc");
}

TEST_CASE(
    "serial: what arrives between enabling its interrupt and switching the FIFOs on isn't lost (Linux's "
    "order)") {
    Rig rig;
    rig.type("echo\n");
    rig.put(kModemControl, kMcrDtr | kMcrRts | kMcrOut2);
    rig.put(kInterruptEnable, kIerReceived | kIerLineStatus);
    rig.put(kInterruptId, 0x01);
    rig.put(kInterruptId, kFifosOn8);
    CHECK(rig.read_all() == "echo\n");
}

TEST_CASE("serial: a break shows with its character, interrupts first, and is cleared by reading LSR") {
    Rig rig;
    rig.open(kIerReceived | kIerLineStatus, kFifosOn8);
    rig.type("a");
    rig.uart.receive_break();
    CHECK((rig.get(kLineStatus) & (kLsrBreak | kLsrFifoError)) == kLsrFifoError);  // 'a' is first
    CHECK(rig.get(kData) == 'a');
    CHECK(rig.get(kInterruptId) == (kIirFifosOn | kIirLineStatus));
    CHECK(rig.get(kLineStatus) == (0x60 | kLsrDataReady | kLsrBreak | kLsrFifoError));
    CHECK(rig.get(kLineStatus) == (0x60 | kLsrDataReady));
    CHECK(rig.get(kInterruptId) == (kIirFifosOn | kIirTimeout));
    CHECK(rig.get(kData) == 0);
    CHECK_FALSE(rig.irq.level);
}

TEST_CASE("serial: loopback carries data and modem lines, and nothing reaches the sink") {
    Rig rig;
    rig.put(kModemControl, kMcrLoop);
    CHECK((rig.get(kModemStatus) & 0xf0) == 0);
    rig.put(kModemControl, kMcrLoop | kMcrRts);
    CHECK(rig.get(kModemStatus) == (kMsrCts | kMsrDeltaCts));
    rig.put(kModemControl, kMcrLoop | kMcrDtr | kMcrOut1);
    CHECK(rig.get(kModemStatus) == (kMsrDsr | kMsrRing | kMsrDeltaCts | kMsrDeltaDsr));
    rig.put(kModemControl, kMcrLoop | kMcrOut2);
    CHECK(rig.get(kModemStatus) == (kMsrDcd | kMsrDeltaDsr | kMsrTrailingRing | kMsrDeltaDcd));
    rig.put(kData, 0x42);
    CHECK((rig.get(kLineStatus) & kLsrDataReady) != 0);
    CHECK(rig.get(kData) == 0x42);
    CHECK(rig.sink.text.empty());
}

TEST_CASE("serial: modem lines interrupt last, until MSR is read") {
    Rig rig;
    rig.put(kInterruptEnable, kIerModemStatus);
    rig.put(kModemControl, kMcrLoop | kMcrOut2);
    CHECK(rig.get(kInterruptId) == kIirModemStatus);
    rig.get(kModemStatus);
    CHECK(rig.get(kInterruptId) == kIirNone);
    rig.put(kModemControl, kMcrOut2);
    CHECK(rig.irq.level);
    CHECK(rig.get(kModemStatus) == (kMsrCts | kMsrDsr | kMsrDcd | kMsrDeltaCts | kMsrDeltaDsr));
    CHECK_FALSE(rig.irq.level);
}

TEST_CASE("serial: an overrun in loopback loses the new character with FIFOs, the old one without") {
    Rig rig;
    rig.put(kModemControl, kMcrLoop);
    rig.put(kData, 'a');
    rig.put(kData, 'b');
    CHECK(rig.get(kLineStatus) == (0x60 | kLsrDataReady | kLsrOverrun));
    CHECK(rig.read_all() == "b");
    rig.put(kInterruptId, kFcrEnable);
    for (char c = 'a'; c <= 'z'; ++c) rig.put(kData, static_cast<unsigned char>(c));
    CHECK((rig.get(kLineStatus) & kLsrOverrun) != 0);
    CHECK(rig.read_all() == "abcdefghijklmnop");  // so a driver finds 16
}

TEST_CASE("serial: a driver that probes the chip finds a 16550A") {
    Rig rig;
    // The steps of PC drivers: IER's unused bits, loopback of modem lines, FIFO bits, no enhanced registers.
    rig.put(kInterruptEnable, 0);
    CHECK((rig.get(kInterruptEnable) & 0x0f) == 0);
    rig.put(kInterruptEnable, 0x0f);
    CHECK((rig.get(kInterruptEnable) & 0x0f) == 0x0f);
    rig.put(kInterruptEnable, 0);
    rig.put(kModemControl, kMcrLoop | kMcrOut2 | kMcrRts);
    CHECK((rig.get(kModemStatus) & 0xf0) == (kMsrDcd | kMsrCts));
    rig.put(kModemControl, 0);
    rig.put(kInterruptId, kFcrEnable);
    CHECK(rig.get(kInterruptId) >> 6 == 3);  // 16550A, not 16550
    rig.put(kLineControl, 0xbf);             // a 16650 or later would show its EFR at offset 2
    CHECK(rig.get(kInterruptId) != 0);
    rig.put(kLineControl, 0x80);
    rig.put(kInterruptId, 0x21);  // a 16750's 64-byte mode shows in IIR bit 5
    CHECK((rig.get(kInterruptId) & 0x20) == 0);
    rig.put(kLineControl, 0);
    rig.put(kInterruptEnable, 0x40);  // an XScale UART would keep this
    CHECK(rig.get(kInterruptEnable) == 0);
}
