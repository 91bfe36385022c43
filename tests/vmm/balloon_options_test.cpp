// What may be said after --balloon.
#include "tests/catch.h"
#include "vmm/model/machine_config.h"

using namespace carrel;

TEST_CASE("--balloon: a size, and how often the guest is asked") {
    CHECK(parse_balloon("0").value() == BalloonOptions{});
    CHECK(parse_balloon("128M").value() == BalloonOptions{128 * kMiB, 0});
    CHECK(parse_balloon("0,statistics=5s").value() == BalloonOptions{0, 5 * kSecond});
    for (const char* const wrong : {"", "much", "1M,", "1M,5s", "1M,statistics=", "1M,statistics=999ms",
                                    "statistics=5s", "-1", "1M,,statistics=5s"})
        CHECK_FALSE(parse_balloon(wrong).ok());
}

TEST_CASE("--balloon: less than the guest has, in whole pages") {
    CHECK(check_balloon({kMiB, 0}, 2 * kMiB).ok());
    CHECK(check_balloon({0, 0}, 2 * kMiB).ok());
    CHECK_FALSE(check_balloon({2 * kMiB, 0}, 2 * kMiB).ok());
    CHECK_FALSE(check_balloon({100, 0}, 2 * kMiB).ok());
    CHECK_FALSE(check_balloon({uint64_t{16} << 40, 0}, uint64_t{32} << 40).ok());
    MachineConfig config;
    config.balloon = BalloonOptions{MachineConfig::kDefaultGuestMemory, 0};
    CHECK_FALSE(check(config).ok());
    config.memory = 2 * MachineConfig::kDefaultGuestMemory;
    CHECK(check(config).ok());
}
