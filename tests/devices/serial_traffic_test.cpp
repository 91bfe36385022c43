// What is typed, sent in batches, saved and restored.
#include <algorithm>

#include "tests/catch.h"
#include "tests/devices/serial_rig.h"

using namespace carrel;
using namespace carrel::test;

TEST_CASE("serial: what is typed before the guest listens waits for it and isn't lost in probing") {
    Rig rig;
    rig.type("early\n");
    CHECK((rig.get(kLineStatus) & kLsrDataReady) == 0);
    rig.put(kInterruptId, 0x07);
    rig.put(kInterruptId, 0x00);
    rig.get(kData);
    rig.open(kIerReceived, kFifosOn8);
    CHECK(rig.irq.level);
    CHECK(rig.read_all() == "early\n");
}

TEST_CASE("serial: a guest that only polls gets its input, too") {
    Rig rig;
    rig.type("ok");
    unsigned polls = 0;
    while ((rig.get(kLineStatus) & kLsrDataReady) == 0 && polls < 1000) ++polls;
    CHECK(polls <= Serial::kPollsToListen);
    CHECK(rig.read_all() == "ok");
}

TEST_CASE("serial: neither a console that polls for room to send nor a driver's probing is a listener") {
    Rig rig;
    rig.type("x");
    const bool sends = GENERATE(true, false);
    for (int i = 0; i < 100; ++i) {
        CHECK((rig.get(kLineStatus) & kLsrDataReady) == 0);
        CHECK((rig.get(kLineStatus) & kLsrDataReady) == 0);
        if (sends)
            rig.put(kData, '.');
        else
            rig.get(kInterruptId);
    }
}

TEST_CASE("serial: input is bounded, in order, and the feeder hears of room without the mutex held") {
    Rig rig;
    FakeListener feeder;
    feeder.then = [&] { CHECK(rig.uart.room() > 0); };  // would deadlock
    rig.uart.set_room_listener(&feeder);
    std::string sent;
    while (rig.uart.room() > 0) {
        const std::string piece(std::min<size_t>(rig.uart.room(), 7),
                                static_cast<char>('a' + sent.size() % 26));
        rig.type(piece);
        sent += piece;
    }
    CHECK(sent.size() == 256);
    rig.type("beyond");
    CHECK(feeder.calls == 0);
    rig.open(kIerReceived, kFifosOn8);
    CHECK(rig.read_all() == sent);
    CHECK(feeder.calls == 1);
}

TEST_CASE("serial: coalescing is asked for only where a late byte does no harm") {
    Rig rig;
    const auto send = [&](unsigned count) {
        for (unsigned i = 0; i < count; ++i) rig.put(kData, '.');
    };
    send(Serial::kBytesToCoalesce / 2);
    rig.uart.transmit(bytes_of(std::string(Serial::kBytesToCoalesce / 2 - 1, '.')));
    CHECK_FALSE(rig.coalescing.on);
    send(1);
    CHECK(rig.coalescing.on);
    SECTION("off with the transmit interrupt") {
        rig.put(kInterruptEnable, kIerTransmit);
    }
    SECTION("off while offset 0 is the divisor latch") {
        rig.put(kLineControl, kLcrDlab);
    }
    SECTION("off in loopback") {
        rig.put(kModemControl, kMcrLoop);
    }
    SECTION("off after a reset") {
        rig.uart.reset();
    }
    SECTION("off after a restore") {
        REQUIRE(restores(rig.uart, saved(rig.uart)));
    }
    CHECK_FALSE(rig.coalescing.on);
    rig.put(kInterruptEnable, 0);
    rig.put(kLineControl, 0);
    rig.put(kModemControl, 0);
    CHECK_FALSE(rig.coalescing.on);  // each change is dear: earned anew
    send(Serial::kBytesToCoalesce);
    CHECK(rig.coalescing.on);
    CHECK(rig.coalescing.changes == 3);
}

TEST_CASE("serial: a batch is one call of the sink, and means what the single writes mean") {
    Rig rig;
    rig.uart.transmit(bytes_of("hello, world\n"));
    CHECK(rig.sink.text == "hello, world\n");
    CHECK(rig.sink.calls == 1);
    rig.uart.transmit({});
    CHECK(rig.sink.calls == 1);
    rig.put(kLineControl, kLcrDlab);
    rig.uart.transmit(bytes_of("\x01\x02"));
    CHECK(rig.get(0) == 2);
    CHECK(rig.sink.text == "hello, world\n");
    rig.put(kLineControl, 0);
    rig.put(kModemControl, kMcrLoop);
    rig.put(kInterruptId, kFcrEnable);
    rig.uart.transmit(bytes_of("loop"));
    CHECK(rig.read_all() == "loop");
    rig.open(kIerTransmit);
    rig.get(kInterruptId);
    rig.uart.transmit(bytes_of("!"));
    CHECK(rig.irq.level);
}

TEST_CASE("serial: saved and restored in the middle of work, the guest notices nothing") {
    Rig first;
    first.open(kIerReceived | kIerTransmit | kIerLineStatus, kFifosOn8);
    first.put(kScratch, 0x5a);
    first.put(kLineControl, 0x83);
    first.put(0, 1);
    first.put(kLineControl, 0x03);
    first.type("0123456789abcdefghij");  // more than the FIFO holds
    first.uart.receive_break();
    first.type("end");
    CHECK(first.get(kData) == '0');
    const auto bytes = saved(first.uart);

    Rig second;
    REQUIRE(restores(second.uart, bytes));
    CHECK(saved(second.uart) == bytes);
    CHECK(second.irq.level);
    CHECK(second.get(kScratch) == 0x5a);
    CHECK(second.get(kInterruptId) == (kIirFifosOn | kIirReceived));
    std::string text;
    unsigned breaks = 0;
    for (unsigned status = second.get(kLineStatus); (status & kLsrDataReady) != 0;
         status = second.get(kLineStatus)) {
        breaks += (status & kLsrBreak) != 0 ? 1 : 0;
        text.push_back(static_cast<char>(second.get(kData)));
    }
    CHECK(text == std::string("123456789abcdefghij\0end", 23));
    CHECK(breaks == 1);
    CHECK(second.get(kInterruptId) == (kIirFifosOn | kIirTransmit));
    second.put(kLineControl, 0x83);
    CHECK(second.get(0) == 1);
}

TEST_CASE("serial: damaged bytes are refused and leave it as after a reset") {
    Rig rig;
    rig.open(kIerReceived, kFifosOn8);
    rig.type("abc");
    const auto good = saved(rig.uart);
    const auto fresh = saved(Rig().uart);
    const auto refused = [&](std::span<const std::byte> bytes) {
        REQUIRE(restores(rig.uart, good));
        CHECK_FALSE(restores(rig.uart, bytes));
        CHECK(saved(rig.uart) == fresh);
        CHECK_FALSE(rig.irq.level);
    };
    for_each_damage(good, refused);
    constexpr size_t kPayload = 10;
    // Bits that don't exist in: IER, FCR, MCR, LSR errors, MSR deltas; polls; THRE; FIFO count (high byte);
    // a character's errors.
    for (const size_t at : {0u, 1u, 3u, 7u, 8u, 9u, 10u, 12u, 14u}) {
        auto bytes = good;
        bytes[kPayload + at] = std::byte{0xff};
        INFO("payload byte " << at);
        refused(bytes);
    }
    auto no_fifo = good;  // three characters, but FIFOs off
    no_fifo[kPayload + 1] = std::byte{0};
    refused(no_fifo);
}
