// What a console does with its driver's bytes and with those for it. VIRTIO 1.3, section 5.3.
#include "devices/virtio/console/console.h"

#include "tests/virtio/console_rig.h"
// After ours, whose CHECK is another.
#include "tests/catch.h"

using namespace carrel;
using namespace carrel::virtio;
using namespace carrel::virtio::test;

namespace {

constexpr size_t kRoom = Console::kLineRoom;

std::vector<std::byte> saved(const Console& console) {
    ByteWriter writer;
    console.save(writer);
    return std::move(writer).take();
}
bool restores(Console& console, std::span<const std::byte> bytes) {
    ByteReader reader(bytes);
    return console.restore(reader).ok();
}

}  // namespace

TEST_CASE("console: what is sent comes out once and in order, however it is cut (2.7.4.2)") {
    ConsoleSide side;
    const int before = side.turns;
    side.send("Hello, world", {12});
    CHECK(side.turns == before + 1);
    CHECK(side.sink.text == "Hello, world");
    CHECK(side.transmit->get_used() == Used{0, 0});
    CHECK(side.interrupts == 1);
    side.sink.text.clear();
    side.send("Hello, world", {1, 0, 4, 7});
    CHECK(side.sink.text == "Hello, world");
    side.sink.text.clear();
    side.fill(kData, "onetwothree");
    side.transmit->add_indirect({{kData, 3}, {kData + 3, 3}}, kTables);
    side.transmit->add({{kData + 6, 5}});
    side.kick(*side.transmit);
    CHECK(side.sink.text == "onetwothree");
    CHECK(side.interrupts == 3);  // one for both
}

TEST_CASE("console: writable descriptors of what is sent are left alone, and nothing at all is legal") {
    ConsoleSide side;
    side.fill(kData, "textkept");
    side.transmit->add({{kData, 4}, {kData + 4, 4, true}});
    side.transmit->add({{kData + 4, 4, true}});
    side.kick(*side.transmit);
    CHECK(side.sink.text == "text");
    CHECK(side.text(kData + 4, 4) == "kept");
    CHECK(side.transmit->get_used()->length == 0);
    CHECK(side.transmit->get_used()->length == 0);
    CHECK_FALSE(side.broken);
}

TEST_CASE("console: a giant chain is sent whole, a bounded piece a turn, and others get theirs behind it") {
    ConsoleSide side;
    const std::string big(1 << 20, 'x');
    side.fill(kData, big);
    side.transmit->add({{kData, 1 << 20}, {kData, 1 << 20}});
    side.fill(0x1000, "end");
    side.transmit->add({{0x1000, 3}});
    side.transmit->publish();
    side.console.notify(kConsoleTransmit);
    CHECK(side.sink.text.size() <= 256 * 1024);
    CHECK_FALSE(side.transmit->get_used());
    REQUIRE(side.agains.size() == 1);
    side.run_again();
    CHECK(side.sink.text.size() == (2 << 20) + 3);
    CHECK(side.sink.text.ends_with("xend"));
    CHECK(side.transmit->get_used());
    CHECK(side.transmit->get_used());
    CHECK(side.agains.empty());
}

TEST_CASE("console: many small chains are bounded by what they send, too") {
    ConsoleSide side;
    for (int i = 0; i < 60; ++i) side.transmit->add({{kData, 32 * 1024}});
    side.kick(*side.transmit);
    CHECK(side.sink.text.size() <= 128 * 1024);
    side.run_again();
    CHECK(side.sink.text.size() == 60u * 32 * 1024);
}

TEST_CASE(
    "console: a reset in the middle of a giant chain gives nothing back, and the next driver starts clean") {
    ConsoleSide side;
    side.transmit->add({{kData, 1 << 20}});
    side.kick(*side.transmit);
    side.type("for the old driver");
    side.console.reset();
    CHECK_FALSE(side.transmit->get_used());
    const size_t sent = side.sink.text.size();
    side.run_again();
    CHECK(side.sink.text.size() == sent);
    REQUIRE(side.start() == nullptr);
    side.sink.text.clear();
    side.receive->add({{kData, 100, true}});
    side.kick(*side.receive);
    CHECK_FALSE(side.receive->get_used());
    side.send("again", {5});
    CHECK(side.sink.text == "again");
}

TEST_CASE("console: a quiesce in the middle of a giant chain finishes it, or says in time that it hasn't") {
    ConsoleSide side;
    side.transmit->add({{kData, 1 << 20}});
    side.kick(*side.transmit);
    SECTION("in time") {
        CHECK(side.console.quiesce(kSecond));
        CHECK(side.sink.text.size() == 1 << 20);
        CHECK(side.transmit->get_used() == Used{0, 0});
    }
    SECTION("out of time") {
        CHECK_FALSE(side.console.quiesce(-1));
        CHECK_FALSE(side.transmit->get_used());
        side.console.resume();
        side.run_again();
        CHECK(side.transmit->get_used() == Used{0, 0});
    }
    CHECK(side.sink.text.size() == 1 << 20);
}

TEST_CASE("console: input waits for buffers, and buffers for input") {
    ConsoleSide side;
    side.type("early");
    CHECK(side.console.room() == kRoom - 5);
    side.receive->add({{kData, 3, true}});
    side.receive->add({{kData + 0x10, 1, true}, {kData + 0x20, 100, true}});
    side.receive->add({{kData + 0x100, 100, true}});
    side.kick(*side.receive);
    CHECK(side.receive->get_used()->length == 3);
    CHECK(side.receive->get_used()->length == 2);
    CHECK(side.text(kData, 3) + side.text(kData + 0x10, 1) + side.text(kData + 0x20, 1) == "early");
    CHECK_FALSE(side.receive->get_used());
    side.type("late");
    CHECK(side.receive->get_used()->length == 4);
    CHECK(side.text(kData + 0x100, 4) == "late");
    CHECK(side.console.room() == kRoom);
}

TEST_CASE("console: buffers that can't be written go back empty, and the input goes into the next") {
    ConsoleSide side;
    side.receive->add({{kData, 10}});
    side.receive->add({{kLowEnd - 1, 2, true}});  // not RAM to its end
    side.receive->add({{kData + 0x100, 10, true}});
    side.receive->publish();
    side.type("text");
    CHECK(side.receive->get_used()->length == 0);
    CHECK(side.receive->get_used()->length == 0);
    CHECK(side.receive->get_used()->length == 4);
    CHECK(side.text(kData + 0x100, 4) == "text");
    CHECK(side.console.malformed() == 1);
}

TEST_CASE("console: nobody listens before DRIVER_OK; then the feeder is told that there is room") {
    ConsoleSide side(false);
    CHECK(side.console.room() == 0);
    side.type("lost, as nobody asked for it");
    CHECK(side.listener.calls == 0);
    REQUIRE(side.start() == nullptr);
    CHECK(side.listener.calls == 1);
    CHECK(side.room == kRoom);
    side.console.reset();
    CHECK(side.console.room() == 0);
    REQUIRE(side.start() == nullptr);
    CHECK(side.listener.calls == 2);
}

TEST_CASE("console: a driver that reads nothing: what waits is bounded, and room is told when half is free") {
    ConsoleSide side;
    const std::string much(kRoom + 1000, 'y');
    side.type(much);
    CHECK(side.console.room() == 0);
    side.receive->add({{kData, kRoom / 4, true}});
    side.kick(*side.receive);
    CHECK(side.listener.calls == 0);
    side.receive->add({{kData, kRoom / 4, true}});
    side.kick(*side.receive);
    CHECK(side.listener.calls == 1);
    CHECK(side.room == kRoom / 2);
    side.receive->add({{kData, kRoom, true}});
    side.kick(*side.receive);
    CHECK(side.listener.calls == 1);
    side.receive->get_used();
    side.receive->get_used();
    CHECK(side.receive->get_used()->length == kRoom / 2);  // what was beyond the room was dropped
}

TEST_CASE("console, 5.3.4: the size, told to the driver at its start and when it changes") {
    ConsoleSide side(false);
    side.console.resize({80, 24});
    CHECK(side.config_changes == 0);
    CHECK(side.size() == WindowSize{80, 24});
    REQUIRE(side.start() == nullptr);
    CHECK(side.config_changes == 1);
    side.console.resize({80, 24});
    CHECK(side.config_changes == 1);
    side.console.resize({132, 50});
    CHECK(side.config_changes == 2);
    CHECK(side.size() == WindowSize{132, 50});
    side.console.reset();
    CHECK(side.size() == WindowSize{132, 50});
    REQUIRE(side.start() == nullptr);
    CHECK(side.config_changes == 3);
    side.console.reset();
    REQUIRE(side.start(kVersion1) == nullptr);  // without VIRTIO_CONSOLE_F_SIZE it isn't
    side.console.resize({10, 10});
    CHECK(side.config_changes == 3);
}

TEST_CASE("console, 5.3.4: a size that isn't known is zero and no news") {
    ConsoleSide side;
    CHECK(side.config_changes == 0);
    CHECK(side.size() == WindowSize{0, 0});
}

TEST_CASE("console, 5.3.4: configuration space by any width; beyond its end nothing") {
    ConsoleSide side;
    side.console.resize({0x1234, 0x5678});
    const auto at = [&](uint64_t offset) {
        uint64_t value = 0;
        side.console.read_config(offset, std::as_writable_bytes(std::span(&value, 1)));
        return value;
    };
    CHECK(at(0) == 0x5678'1234);
    CHECK(at(1) == 0x56'7812);
    CHECK(at(3) == 0x56);
    CHECK(at(8) == 0);
    CHECK(at(11) == 0);
    CHECK(at(12) == 0);
    CHECK(at(0xfff) == 0);
}

TEST_CASE("console, 5.3.4: an emergency write sends its low byte, before anything has been negotiated") {
    ConsoleSide side(false);
    const auto write = [&](uint64_t offset, std::string_view bytes) {
        side.console.write_config(offset, std::as_bytes(std::span(bytes)));
    };
    write(8, std::string_view("!\0\0\0", 4));
    write(8, "?");
    write(4, "....#...");
    CHECK(side.sink.text == "!?#");
    write(0, "abcd");
    write(9, "abc");
    write(4, "abcd");
    write(12, "abcd");
    write(0xfff, "a");
    write(~uint64_t{0}, "a");
    CHECK(side.sink.text == "!?#");
}

TEST_CASE("console: its state comes back in the middle of traffic") {
    ConsoleSide side;
    side.console.resize({80, 24});
    side.type("waits");
    REQUIRE(side.console.quiesce(kSecond));
    const auto bytes = saved(side.console);
    ConsoleSide other(false);
    REQUIRE(restores(other.console, bytes));
    CHECK(saved(other.console) == bytes);
    REQUIRE(other.start() == nullptr);
    CHECK(other.config_changes == 0);  // it knows that size
    CHECK(other.size() == WindowSize{80, 24});
    other.receive->add({{kData, 100, true}});
    other.kick(*other.receive);
    CHECK(other.text(kData, 5) == "waits");
    CHECK(other.receive->get_used()->length == 5);
}

TEST_CASE("console: one that comes back at another terminal says so") {
    ConsoleSide side;
    side.console.resize({80, 24});
    const auto bytes = saved(side.console);
    ConsoleSide other(false);
    other.console.resize({100, 30});
    REQUIRE(restores(other.console, bytes));
    REQUIRE(other.start() == nullptr);
    CHECK(other.config_changes == 1);
    CHECK(other.size() == WindowSize{100, 30});
}

TEST_CASE("console: damaged state is refused") {
    ConsoleSide side;
    side.type("waits");
    const auto good = saved(side.console);
    ConsoleSide other(false);
    const auto fresh = saved(other.console);
    for (size_t length = 0; length < good.size(); ++length)
        CHECK_FALSE(restores(other.console, std::span(good).first(length)));
    auto told = good;
    told[14] = std::byte{2};
    CHECK_FALSE(restores(other.console, told));
    ByteWriter writer;
    const size_t start = writer.begin_part("VCON", 1);
    writer.put(uint32_t{0});
    writer.put(uint8_t{0});
    writer.put_bytes(std::vector<std::byte>(kRoom + 1));
    writer.end_part(start);
    CHECK_FALSE(restores(other.console, writer.bytes()));
    CHECK(saved(other.console) == fresh);
}
