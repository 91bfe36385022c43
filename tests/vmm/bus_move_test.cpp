// A bus whose devices move, come and go while others use it.
#include <array>
#include <atomic>
#include <chrono>
#include <iostream>
#include <memory>
#include <thread>
#include <utility>
#include <vector>

#include "tests/catch.h"
#include "vmm/bus/bus.h"

using namespace carrel;

namespace {

// Answers with one byte, and remembers on the heap that it is alive: a use after its end is ASan's to find.
class Constant final : public Device {
  public:
    explicit Constant(std::byte value) : value_(std::make_unique<std::byte>(value)) {}
    std::string_view name() const override { return "constant"; }
    void read(uint64_t, std::span<std::byte> data) override {
        for (std::byte& byte : data) byte = *value_;
    }
    void write(uint64_t, std::span<const std::byte>) override {}

  private:
    std::unique_ptr<std::byte> value_;
};

// A BAR that moves when it is written to: the access that moves it is inside the bus itself.
class Mover final : public Device {
  public:
    explicit Mover(Bus& bus) : bus_(bus) {}
    std::string_view name() const override { return "mover"; }
    void read(uint64_t, std::span<std::byte> data) override { fill_ones(data); }
    void write(uint64_t, std::span<const std::byte>) override {
        const uint64_t to = at == 0x100 ? 0x200 : 0x100;
        if (!bus_.move(*this, at, to).ok()) return;
        at = to;
        bus_.publish();
    }
    uint64_t at = 0x100;

  private:
    Bus& bus_;
};

// Reads another address of its bus when it is read, and holds everybody up who comes while `hold` is set.
class Inside final : public Device {
  public:
    explicit Inside(Bus& bus) : bus_(bus) {}
    std::string_view name() const override { return "inside"; }
    void read(uint64_t, std::span<std::byte> data) override {
        entered = true;
        while (hold) std::this_thread::yield();
        bus_.read(0x800, data);
    }
    void write(uint64_t, std::span<const std::byte>) override {}
    std::atomic<bool> entered{false};
    std::atomic<bool> hold{false};

  private:
    Bus& bus_;
};

std::byte read_byte(Bus& bus, uint64_t address) {
    std::array<std::byte, 1> data{};
    bus.read(address, data);
    return data[0];
}

constexpr std::byte kOnes{0xff};
constexpr std::byte kSeven{7};

// Readers on all sides of a device that moves and of visitors that come and go. How much was wrong.
uint64_t wrong_under_stress(size_t slots, int rounds) {
    constexpr size_t kReaders = 4;
    constexpr std::byte kVisitors{100};
    Bus bus(slots);
    Constant wanderer(kSeven);
    REQUIRE(bus.attach(0x100, 4, wanderer).ok());
    bus.publish();
    std::atomic<bool> done{false};
    std::atomic<uint64_t> wrong{0};
    std::atomic<uint64_t> reads{0};
    std::vector<std::thread> readers;
    for (size_t lane = 0; lane < kReaders; ++lane) {
        readers.emplace_back([&, lane] {
            while (!done) {
                // Across both places of the wanderer: one snapshot an access, so it is at exactly one.
                std::array<std::byte, 8> data{};
                bus.read(0x100, data, lane);
                if ((data[0] == kSeven) == (data[7] == kSeven) || data[0] != data[3] || data[4] != data[7])
                    ++wrong;
                std::array<std::byte, 1> visitor{};
                bus.read(0x200, visitor, lane);
                if (visitor[0] != kOnes && visitor[0] >= kVisitors) ++wrong;
                bus.write(0x200, visitor, lane);
                ++reads;
            }
        });
    }
    while (reads < kReaders) std::this_thread::yield();
    uint64_t at = 0x100;
    for (int i = 0; i < rounds; ++i) {
        const auto visitor =
            std::make_unique<Constant>(static_cast<std::byte>(i % std::to_integer<int>(kVisitors)));
        const uint64_t to = 0x204 - at;
        const bool changed = bus.attach(0x200, 4, *visitor).ok() && bus.move(wanderer, at, to).ok();
        at = to;
        bus.publish();
        bus.detach(*visitor, 0x200);
        bus.publish();
        bus.synchronize();  // now the visitor may go
        if (!changed || bus.retired() != 0) ++wrong;
    }
    done = true;
    for (auto& reader : readers) reader.join();
    return wrong;
}

}  // namespace

TEST_CASE("a device that was taken away answers no more, once that is published") {
    Bus bus;
    Constant seven(kSeven);
    REQUIRE(bus.attach(0x100, 4, seven).ok());
    REQUIRE(bus.attach(0x200, 4, seven).ok());
    bus.publish();
    bus.detach(seven, 0x100);
    CHECK(read_byte(bus, 0x100) == kSeven);
    bus.publish();
    CHECK(read_byte(bus, 0x100) == kOnes);
    CHECK(read_byte(bus, 0x200) == kSeven);
    CHECK(bus.devices().size() == 1);  // it is still at its other place
    bus.detach(seven, 0x200);
    CHECK(bus.devices().empty());
    CHECK(bus.attach(0x102, 4, seven).ok());  // the place is free
}

TEST_CASE("a moved device keeps its place in the order of saving") {
    Bus bus;
    Constant one(std::byte{1});
    Constant two(std::byte{2});
    REQUIRE(bus.attach(0x100, 4, one).ok());
    REQUIRE(bus.attach(0x200, 4, two).ok());
    REQUIRE(bus.move(one, 0x100, 0x300).ok());
    bus.publish();
    CHECK(read_byte(bus, 0x100) == kOnes);
    CHECK(read_byte(bus, 0x303) == std::byte{1});
    CHECK(bus.devices() == std::vector<Device*>{&one, &two});
}

TEST_CASE("rule 2: a move onto another device is refused and changes nothing; a move by a bit is not") {
    Bus bus;
    Constant one(std::byte{1});
    Constant two(std::byte{2});
    REQUIRE(bus.attach(0x100, 8, one).ok());
    REQUIRE(bus.attach(0x200, 8, two).ok());
    for (const uint64_t to : {0x1f9u, 0x200u, 0x207u}) CHECK_FALSE(bus.move(one, 0x100, to).ok());
    CHECK_FALSE(bus.move(one, 0x100, ~uint64_t{0} - 6).ok());  // wraps
    bus.publish();
    CHECK(read_byte(bus, 0x100) == std::byte{1});
    CHECK(read_byte(bus, 0x200) == std::byte{2});
    CHECK(bus.move(one, 0x100, 0x104).ok());  // over where it was itself
    CHECK(bus.move(one, 0x104, 0x104).ok());
    CHECK(bus.move(one, 0x104, ~uint64_t{0} - 7).ok());
}

TEST_CASE("a device may move itself inside an access; the old snapshot goes with the next one") {
    Bus bus;
    Mover mover(bus);
    REQUIRE(bus.attach(0x100, 4, mover).ok());
    bus.publish();
    CHECK(bus.retired() == 0);
    for (int i = 0; i < 100; ++i) {
        bus.write(mover.at, std::array{kSeven});
        CHECK(bus.retired() == 1);  // its own access was in it
    }
    bus.synchronize();
    CHECK(bus.retired() == 0);
}

TEST_CASE("accesses inside accesses hold the snapshots they use, also when all slots are taken") {
    for (const size_t slots : {1u, 2u, 8u}) {
        Bus bus(slots);
        Inside inside(bus);
        Constant seven(kSeven);
        REQUIRE(bus.attach(0x100, 4, inside).ok());
        REQUIRE(bus.attach(0x800, 4, seven).ok());
        bus.publish();
        CHECK(read_byte(bus, 0x100) == kSeven);
        bus.publish();
        CHECK(bus.retired() == 0);
    }
}

TEST_CASE("synchronize waits for who is inside, and publish doesn't") {
    for (const size_t slots : {1u, 8u}) {
        Bus bus(slots);
        Inside inside(bus);
        REQUIRE(bus.attach(0x100, 4, inside).ok());
        bus.publish();
        inside.hold = true;
        std::thread reader([&] { read_byte(bus, 0x100); });
        while (!inside.entered) std::this_thread::yield();
        bus.detach(inside, 0x100);
        bus.publish();
        CHECK(bus.retired() == 1);
        CHECK(read_byte(bus, 0x100) == kOnes);  // later ones don't find it
        std::atomic<bool> left{false};
        std::thread remover([&] {
            bus.synchronize();
            left = true;
        });
        std::this_thread::sleep_for(std::chrono::milliseconds(5));
        CHECK_FALSE(left);
        inside.hold = false;
        remover.join();
        CHECK(bus.retired() == 0);
        reader.join();
    }
}

TEST_CASE("stress: readers on all sides of devices that move, come and go") {
    CHECK(wrong_under_stress(4, 1000) == 0);
}

TEST_CASE("stress: the same where readers find no slot") {
    CHECK(wrong_under_stress(2, 50) == 0);
}

TEST_CASE("stress: two who publish without waiting leave nothing behind") {
    Bus bus(2);
    Mover one(bus);
    Constant two(std::byte{2});
    REQUIRE(bus.attach(0x100, 4, one).ok());
    REQUIRE(bus.attach(0x400, 4, two).ok());
    bus.publish();
    std::thread other([&] {
        for (int i = 0; i < 2000; ++i) {
            (void)bus.move(two, i % 2 == 0 ? 0x400 : 0x500, i % 2 == 0 ? 0x500 : 0x400).ok();
            bus.publish();
        }
    });
    for (int i = 0; i < 2000; ++i) bus.write(one.at, std::array{kSeven}, 1);
    other.join();
    bus.synchronize();
    CHECK(bus.retired() == 0);
}

// Not run by itself: memory_bus_test '[bench]', built for release.
TEST_CASE("what a look-up costs", "[.][bench]") {
    Bus bus;
    std::vector<std::unique_ptr<Constant>> devices;
    for (uint64_t i = 0; i < 16; ++i) {
        devices.push_back(std::make_unique<Constant>(kSeven));
        REQUIRE(bus.attach(0x1000 * i, 0x100, *devices.back()).ok());
    }
    bus.publish();
    constexpr int kAccesses = 20'000'000;
    std::array<std::byte, 1> data{};
    const auto begin = std::chrono::steady_clock::now();
    for (int i = 0; i < kAccesses; ++i) bus.read(0x1000 * (static_cast<uint64_t>(i) % 16), data);
    const std::chrono::duration<double, std::nano> taken = std::chrono::steady_clock::now() - begin;
    std::cout << "a one-byte read: " << taken.count() / kAccesses << " ns\n";
    CHECK(data[0] == kSeven);
}
