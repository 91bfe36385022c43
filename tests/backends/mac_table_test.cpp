#include "devices/backends/mac_table.h"

#include "tests/catch.h"

namespace carrel {
namespace {

MacAddress mac(uint32_t number) {
    return {2,
            0,
            static_cast<uint8_t>(number >> 24),
            static_cast<uint8_t>(number >> 16),
            static_cast<uint8_t>(number >> 8),
            static_cast<uint8_t>(number)};
}

constexpr uint32_t kOwn = 1'000'000;  // of port n: mac(kOwn + n)

MacTable table_of(MacTable::Port ports) {
    MacTable table;
    for (MacTable::Port port = 0; port < ports; ++port) REQUIRE(table.add_port(port, mac(kOwn + port)));
    return table;
}

}  // namespace

TEST_CASE("addresses: a port is found by its own address, and by those that it sends from") {
    MacTable table = table_of(2);
    CHECK(table.find(mac(kOwn + 1), 0) == 1u);
    CHECK(!table.find(mac(7), 0));
    CHECK(table.learn(0, mac(7), 0));
    CHECK(table.find(mac(7), 0) == 0u);
    CHECK(table.learn(1, mac(7), 1));  // it has moved
    CHECK(table.find(mac(7), 1) == 1u);
}

TEST_CASE("addresses: what was learned ages, an own one doesn't") {
    MacTable table = table_of(1);
    table.learn(0, mac(7), 0);
    CHECK(table.find(mac(7), MacTable::kAge) == 0u);
    CHECK(!table.find(mac(7), MacTable::kAge + 1));
    CHECK(table.find(mac(kOwn), 100 * MacTable::kAge) == 0u);
    table.learn(0, mac(7), MacTable::kAge + 1);
    CHECK(table.find(mac(7), 2 * MacTable::kAge) == 0u);
}

TEST_CASE("addresses: nobody can claim another's own") {
    MacTable table = table_of(2);
    CHECK_FALSE(table.learn(0, mac(kOwn + 1), 0));
    CHECK(table.find(mac(kOwn + 1), 0) == 1u);
    CHECK(table.learn(1, mac(kOwn + 1), 0));
    CHECK_FALSE(table.add_port(2, mac(kOwn + 1)));
    CHECK_FALSE(table.learn(0, mac(kOwn + 1), 0));
    // Learned by another before it was anybody's own: from now on it isn't that one's any more.
    table.learn(0, mac(kOwn + 3), 0);
    CHECK(table.add_port(3, mac(kOwn + 3)));
    CHECK(table.find(mac(kOwn + 3), 0) == 3u);
    CHECK_FALSE(table.learn(0, mac(kOwn + 3), 0));
}

TEST_CASE("addresses: a flood of them pushes out nobody else's, and takes no more than its share") {
    MacTable table = table_of(3);
    for (uint32_t i = 0; i < MacTable::kLearnedPerPort; ++i) table.learn(1, mac(500 + i), 0);
    for (uint32_t i = 0; i < 100'000; ++i) REQUIRE(table.learn(0, mac(10'000 + i), 1));
    CHECK(table.size() == 3 + 2 * MacTable::kLearnedPerPort);
    for (uint32_t i = 0; i < MacTable::kLearnedPerPort; ++i) CHECK(table.find(mac(500 + i), 1) == 1u);
    CHECK(table.find(mac(10'000 + 99'999), 1) == 0u);  // its latest are there
    CHECK(!table.find(mac(10'000), 1));
}

TEST_CASE("addresses: two ports that fight for the same ones stay within their shares") {
    MacTable table = table_of(2);
    for (uint32_t i = 0; i < 10'000; ++i) {
        table.learn(i % 2, mac(i / 2 % 100), 0);
        REQUIRE(table.size() <= 2 + 2 * MacTable::kLearnedPerPort);
        REQUIRE(table.find(mac(i / 2 % 100), 0) == i % 2);
    }
}

TEST_CASE("addresses: a port that goes leaves nothing") {
    MacTable table = table_of(2);
    for (uint32_t i = 0; i < 100; ++i) table.learn(0, mac(i), 0);
    table.remove_port(0);
    CHECK(table.size() == 1);
    CHECK(!table.find(mac(kOwn), 0));
    CHECK(table.add_port(2, mac(kOwn)));
}

}  // namespace carrel
