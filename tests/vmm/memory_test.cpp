#include "vmm/memory/guest_memory.h"

#include "tests/catch.h"

using namespace carrel;

TEST_CASE("RAM is split at the PCI hole") {
    CHECK(RamMap::of_size(64 * kMiB).ranges.size() == 1);
    CHECK(RamMap::of_size(3 * kGiB).ranges.size() == 1);
    const RamMap map = RamMap::of_size(5 * kGiB);
    REQUIRE(map.ranges.size() == 2);
    CHECK(map.ranges[0].end() == address_map::kHoleStart);
    CHECK(map.ranges[1].base == address_map::kHoleEnd);
    CHECK(map.total() == 5 * kGiB);
}

TEST_CASE("rule 2: whole ranges are checked; the very top of RAM is legal and one byte more is not") {
    for (const auto backing : {MemoryBacking::kAnonymous, MemoryBacking::kMemfd}) {
        auto created = GuestMemory::create(RamMap::of_size(4 * kGiB), backing);
        REQUIRE(created.ok());
        GuestMemory& memory = **created;

        const Gpa last = Gpa{3 * kGiB - 8};
        CHECK(memory.write(last, uint64_t{0x1122334455667788}));
        CHECK(memory.read<uint64_t>(last) == 0x1122334455667788);
        CHECK_FALSE(memory.write(last + 1, uint64_t{0}));
        CHECK(memory.read<uint64_t>(last) == 0x1122334455667788);  // nothing of the refused write happened

        const Gpa high_end = Gpa{5 * kGiB};
        CHECK(memory.slice(high_end + (~uint64_t{0} - 7), 8));  // i.e. high_end - 8
        CHECK(memory.slice(high_end, 0));
        CHECK_FALSE(memory.slice(high_end, 1));
        CHECK_FALSE(memory.slice(address_map::kHoleStart, 1));   // the hole
        CHECK_FALSE(memory.slice(Gpa{3 * kGiB - 1}, kGiB + 2));  // across the hole
        CHECK_FALSE(memory.slice(Gpa{16}, ~uint64_t{0} - 8));    // a length that wraps
        CHECK_FALSE(memory.slice(Gpa{~uint64_t{0}}, 2));
    }
}

TEST_CASE(
    "a range that reaches over the end of one region isn't RAM, though the regions' bytes are neighbours") {
    const RamMap map{{RamRange{Gpa{0}, kMiB}, RamRange{Gpa{4 * kMiB}, kMiB}}};
    auto created = GuestMemory::create(map, MemoryBacking::kAnonymous);
    REQUIRE(created.ok());
    GuestMemory& memory = **created;
    REQUIRE(memory.regions()[0].host + kMiB == memory.regions()[1].host);
    CHECK(memory.window(Gpa{kMiB - 4}, 4));
    CHECK_FALSE(memory.window(Gpa{kMiB - 4}, 8));
    CHECK_FALSE(memory.slice(Gpa{kMiB - 4}, 3 * kMiB + 8));
}

TEST_CASE("a window's bytes can be kept without the window, and are ended by their address") {
    auto created = GuestMemory::create(RamMap::of_size(4 * kGiB), MemoryBacking::kAnonymous);
    REQUIRE(created.ok());
    GuestMemory& memory = **created;
    for (const Gpa gpa : {Gpa{0}, Gpa{3 * kGiB - 8}, address_map::kHoleEnd, Gpa{5 * kGiB - 8}}) {
        const std::span<std::byte> bytes = memory.window(gpa, 8)->detach();
        REQUIRE(bytes.size() == 8);
        bytes[7] = std::byte{0x77};
        memory.wrote(bytes.subspan(7));
        memory.finish(bytes, 8);
        CHECK(memory.read<uint8_t>(gpa + 7) == 0x77);
        memory.finish(memory.window(gpa, 8)->detach(), 0);
    }
}

TEST_CASE("memory that the host can't give is an error that says how much was asked for") {
    const auto created = GuestMemory::create(RamMap::of_size(uint64_t{1} << 47), MemoryBacking::kAnonymous);
    REQUIRE_FALSE(created.ok());
    CHECK(created.error().fault == Fault::kHost);
    CHECK(created.error().what.find("134217728 MiB") != std::string::npos);
    CHECK_FALSE(created.error().advice.empty());
}
