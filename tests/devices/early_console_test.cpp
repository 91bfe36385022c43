#include "devices/early_console.h"

#include <algorithm>
#include <vector>

#include "devices/serial_registers.h"
#include "tests/catch.h"
#include "tests/devices/fakes.h"

using namespace carrel;
using namespace carrel::test;

namespace {
struct Rig {
    FakeSink sink;
    FakeCoalescing coalescing;
    EarlyConsole console{sink, coalescing};
};
}  // namespace

TEST_CASE("early console: the page says what the register says, everywhere") {
    std::vector<std::byte> page(EarlyConsole::kSize);
    EarlyConsole::fill(page);
    CHECK(page[uart::kLineStatus] == std::byte{0x60});
    Rig rig;
    std::vector<std::byte> read(EarlyConsole::kSize, std::byte{0xff});
    for (uint64_t offset = 0; offset < read.size(); offset += 8)
        rig.console.read(offset, std::span(read).subspan(offset, 8));
    CHECK(read == page);
}

TEST_CASE("early console: bytes go to the sink, other registers are ignored") {
    Rig rig;
    for (const unsigned byte : {0x68u, 0x69u}) out8(rig.console, uart::kData, byte);
    out8(rig.console, uart::kInterruptEnable, 0x0f);
    out8(rig.console, uart::kLineControl, 0x80);
    out8(rig.console, uart::kData, '!');  // no divisor latch
    CHECK(rig.sink.text == "hi!");
}

TEST_CASE("early console: collecting is asked for with the first byte and told of each further exit") {
    Rig rig;
    out8(rig.console, uart::kInterruptEnable, 0);
    CHECK(rig.coalescing.changes == 0);
    out8(rig.console, uart::kData, 'a');
    CHECK(rig.coalescing.on);
    CHECK(rig.coalescing.exits == 0);
    out8(rig.console, uart::kData, 'b');
    CHECK(rig.coalescing.changes == 1);
    CHECK(rig.coalescing.exits == 1);
}
