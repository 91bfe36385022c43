#include "vmm/bus/bus.h"

#include <array>
#include <thread>

#include "tests/catch.h"

using namespace carrel;

namespace {
// Answers each byte with its offset and keeps what was written.
class Echo final : public Device {
  public:
    std::string_view name() const override { return "echo"; }
    void read(uint64_t offset, std::span<std::byte> data) override {
        for (std::byte& byte : data) byte = static_cast<std::byte>(offset++);
    }
    void write(uint64_t offset, std::span<const std::byte> data) override {
        for (const std::byte byte : data) written.at(offset++) = byte;
    }
    std::array<std::byte, 16> written{};
};
}  // namespace

TEST_CASE("the bus finds devices at their edges and nothing beside them") {
    Bus bus;
    Echo a;
    Echo b;
    REQUIRE(bus.attach(0x100, 8, a).ok());
    REQUIRE(bus.attach(0x108, 8, b).ok());
    CHECK_FALSE(bus.find(0x100));  // not published yet
    bus.publish();
    CHECK_FALSE(bus.find(0xff));
    CHECK(bus.find(0x100)->device == &a);
    CHECK(bus.find(0x107)->device == &a);
    CHECK(bus.find(0x108)->device == &b);
    CHECK_FALSE(bus.find(0x110));
}

TEST_CASE("overlaps are refused") {
    Bus bus;
    Echo a;
    REQUIRE(bus.attach(0x100, 8, a).ok());
    for (const uint64_t base : {0xf9u, 0x100u, 0x104u, 0x107u}) CHECK_FALSE(bus.attach(base, 8, a).ok());
    CHECK_FALSE(bus.attach(0xf0, 0x1000, a).ok());
    CHECK_FALSE(bus.attach(0x200, 0, a).ok());
    CHECK_FALSE(bus.attach(~uint64_t{0}, 2, a).ok());
    CHECK(bus.attach(0xf8, 8, a).ok());
    CHECK(bus.attach(~uint64_t{0}, 1, a).ok());
}

TEST_CASE("rule 6: an unmapped read fills the buffer with ones, and is counted once") {
    Bus bus;
    bus.publish();
    std::array<std::byte, 8> data{};
    bus.read(0x1234, data);
    for (const std::byte byte : data) CHECK(byte == std::byte{0xff});
    CHECK(bus.unmapped() == 1);
    CHECK(bus.last_unmapped() == 0x1234);
}

TEST_CASE("an access across the end of a device is split") {
    Bus bus;
    Echo a;
    Echo b;
    REQUIRE(bus.attach(0x100, 2, a).ok());
    REQUIRE(bus.attach(0x103, 4, b).ok());
    bus.publish();
    std::array<std::byte, 4> data{};
    bus.read(0x101, data);
    CHECK(data == std::array{std::byte{1}, std::byte{0xff}, std::byte{0}, std::byte{1}});
    bus.write(0x101, std::array{std::byte{9}, std::byte{8}, std::byte{7}, std::byte{6}});
    CHECK(a.written[1] == std::byte{9});
    CHECK(b.written[0] == std::byte{7});
    CHECK(b.written[1] == std::byte{6});
}

TEST_CASE("look-ups go on while a new snapshot is published") {
    Bus bus;
    Echo a;
    REQUIRE(bus.attach(0x100, 8, a).ok());
    bus.publish();
    std::jthread publisher([&] {
        for (uint64_t i = 0; i < 200; ++i) {
            (void)bus.attach(0x1000 + i, 1, a);
            bus.publish();
        }
    });
    for (int i = 0; i < 20000; ++i) REQUIRE(bus.find(0x104));
}
