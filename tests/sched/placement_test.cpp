// Placement on simulated CPUs: where a guest begins, what is done about a crowded CPU, and what isn't.
#include "vmm/sched/placement.h"

#include <algorithm>

#include "tests/catch.h"
#include "tests/sched/placement_rig.h"

using namespace carrel;
using namespace carrel::test;

namespace {

Placer::Guest wide(uint32_t vcpus) {
    return {vcpus, {}, {}};
}

Placer::Guest capped(int64_t share) {
    return {1, percent(share), {}};
}

Placer::Guest on(CpuList cpus) {
    return {1, {}, std::move(cpus)};
}

}  // namespace

TEST_CASE("spread: new guests go where the fewest are, and as wide as their vCPUs") {
    PlacementRig rig(Placement::kSpread, 8);
    for (const char* const name : {"a", "b", "c", "d"}) rig.add(name, kWholeCpu);
    rig.add("wide", 4 * kWholeCpu, wide(4));
    CHECK(rig.placer.cpus_of("a") == CpuList{0});
    CHECK(rig.placer.cpus_of("d") == CpuList{3});
    CHECK(rig.placer.cpus_of("wide") == CpuList{4, 5, 6, 7});
    rig.add("widest", 0, wide(64));
    CHECK(rig.placer.cpus_of("widest") == cpus_from_0(8));
    CHECK(rig.seconds(100).empty());  // each has a CPU to itself, but for one that wants nothing
}

TEST_CASE("spread: a crowded CPU gives one guest away, after two seconds of it") {
    PlacementRig rig(Placement::kSpread, 2);
    for (const char* const name : {"a", "b", "c"}) rig.add(name, kWholeCpu);
    REQUIRE(rig.placer.cpus_of("c") == CpuList{0});
    CHECK(rig.seconds(20).empty());  // three on two: nothing is better
    rig.remove("b");
    CHECK(rig.second().empty());
    const auto moves = rig.second();
    REQUIRE(moves.size() == 1);
    CHECK(moves[0].guest == "a");
    CHECK(moves[0].from == CpuList{0});
    CHECK(moves[0].to == CpuList{1});
    CHECK(moves[0].crowded == 2 * kWholeCpu);
    CHECK(rig.measure()["a"] == MeasuredLoad{kWholeCpu, 0});
    CHECK(rig.measure()["c"] == MeasuredLoad{kWholeCpu, 0});
    CHECK(rig.seconds(100).empty());
}

TEST_CASE("spread: one busy second is no reason to move") {
    PlacementRig rig(Placement::kSpread, 2);
    for (const char* const name : {"a", "b", "c"}) rig.add(name, kWholeCpu);
    rig.remove("b");
    for (int i = 0; i < 50; ++i) {
        rig.set_wants("a", i % 2 == 0 ? kWholeCpu : percent(10));
        rig.set_wants("c", i % 2 == 0 ? kWholeCpu : percent(10));
        CHECK(rig.second().empty());
    }
}

TEST_CASE("spread: idle guests are counted evenly, too, and crowd nobody for it") {
    PlacementRig rig(Placement::kSpread, 2);
    for (const char* const name : {"a", "b", "c", "d", "e", "f"}) rig.add(name, 0);
    for (const char* const name : {"b", "d", "f"}) rig.remove(name);  // a, c and e on 0
    CHECK(rig.seconds(Placer::kCalmRounds - 1).empty());
    const auto moves = rig.second();
    REQUIRE(moves.size() == 1);
    CHECK(moves[0].crowded == 0);
    CHECK(rig.seconds(100).empty());
    CHECK(rig.placer.loads().at(0).guests == 2);
}

TEST_CASE("spread: a guest stays on its own CPUs, whatever it costs") {
    PlacementRig rig(Placement::kSpread, 4);
    rig.add("a", kWholeCpu, on({1}));
    rig.add("b", kWholeCpu, on({1}));
    rig.add("c", kWholeCpu, on({1, 2}));
    CHECK(rig.placer.cpus_of("a") == CpuList{1});
    CHECK(rig.placer.cpus_of("c") == CpuList{2});
    CHECK(rig.seconds(100).empty());
    rig.add("nowhere", kWholeCpu, on({7}));
    CHECK(rig.placer.cpus_of("nowhere").empty());
    CHECK(rig.seconds(3).empty());
}

TEST_CASE("spread: of a wide guest one CPU is exchanged") {
    PlacementRig rig(Placement::kSpread, 4);
    rig.add("wide", 3 * kWholeCpu, wide(3));
    rig.add("a", kWholeCpu);
    rig.add("b", kWholeCpu, on({0}));
    rig.remove("a");
    const auto moves = rig.seconds(2);
    REQUIRE(moves.size() == 1);
    CHECK(moves[0].guest == "wide");
    CHECK(moves[0].to == CpuList{1, 2, 3});
    CHECK(rig.alone("b"));
}

TEST_CASE("pack: as few CPUs as caps need") {
    PlacementRig rig(Placement::kPack, 8);
    for (const char* const name : {"a", "b", "c", "d", "e"}) rig.add(name, kWholeCpu, capped(25));
    for (const char* const name : {"a", "b", "c", "d"}) CHECK(rig.placer.cpus_of(name) == CpuList{0});
    CHECK(rig.placer.cpus_of("e") == CpuList{1});
    CHECK(rig.seconds(100).empty());
    rig.remove("a");
    rig.remove("b");
    rig.remove("c");
    CHECK(rig.seconds(Placer::kCalmRounds).size() == 1);
    CHECK(rig.placer.loads().size() == 1);
}

TEST_CASE("pack: who wants more than its CPU has gets another") {
    PlacementRig rig(Placement::kPack, 8);
    rig.add("a", percent(5));
    rig.add("b", percent(5));
    rig.add("wide", percent(5), wide(4));
    CHECK(rig.placer.loads().size() == 6);  // all are taken to want all at first
    rig.seconds(Placer::kCalmRounds);
    CHECK(rig.placer.loads().size() == 1);
    rig.set_wants("wide", 4 * kWholeCpu);
    CHECK(rig.second().empty());
    CHECK(rig.seconds(Placer::kRestRounds + 2).size() <= 3);  // the others leave it, while it rests
    CHECK(rig.placer.cpus_of("wide").size() == 4);
    CHECK(rig.placer.loads().size() == 5);
    CHECK(rig.placer.cpus_of("a") == rig.placer.cpus_of("b"));
    CHECK(rig.seconds(100).empty());
}

TEST_CASE("pack: one CPU that nothing helps doesn't keep another one crowded") {
    PlacementRig rig(Placement::kPack, 4);
    for (const char* const name : {"a", "b", "c"}) rig.add(name, kWholeCpu, on({0}));
    rig.add("d", 0);
    rig.add("e", 0);
    rig.seconds(20);
    REQUIRE(rig.placer.cpus_of("d") == rig.placer.cpus_of("e"));
    rig.set_wants("d", kWholeCpu);
    rig.set_wants("e", kWholeCpu);
    CHECK(rig.seconds(2).size() == 1);
    CHECK(rig.alone("d"));
    CHECK(rig.alone("e"));
}

TEST_CASE("pack: two that spin have a CPU each, also when they began as idle ones") {
    PlacementRig rig(Placement::kPack, 8);
    rig.add("a", 0);
    rig.add("b", 0);
    rig.seconds(20);
    REQUIRE(rig.placer.cpus_of("a") == rig.placer.cpus_of("b"));
    rig.set_wants("a", kWholeCpu);
    rig.set_wants("b", kWholeCpu);
    const auto moves = rig.seconds(2);
    REQUIRE(moves.size() == 1);
    CHECK(moves[0].crowded == 2 * kWholeCpu);
    CHECK(rig.alone("a"));
    CHECK(rig.seconds(100).empty());
}

TEST_CASE("pack: what was packed in vain isn't packed again soon, and each time later") {
    PlacementRig rig(Placement::kPack, 8);
    rig.add("a", 0);
    rig.add("b", 0);
    uint32_t moved = 0;
    for (uint32_t i = 0; i < 3600; ++i) {
        // They seem idle as long as each is alone.
        const CpuShare wants = rig.alone("a") ? percent(20) : kWholeCpu;
        rig.set_wants("a", wants);
        rig.set_wants("b", wants);
        moved += static_cast<uint32_t>(rig.second().size());
    }
    CHECK(moved <= 2 * 20);  // an hour; with a fixed patience it is more than 700
    CHECK(moved >= 2);
}

TEST_CASE("a new cap counts at once") {
    PlacementRig rig(Placement::kPack, 2);
    rig.add("a", kWholeCpu);
    rig.add("b", kWholeCpu);
    rig.seconds(10);
    REQUIRE(rig.alone("a"));
    for (const char* const name : {"a", "b"}) {
        rig.placer.set_cap(name, percent(25));
        rig.set_wants(name, percent(25));
    }
    rig.seconds(Placer::kCalmRounds);
    CHECK(rig.placer.cpus_of("a") == rig.placer.cpus_of("b"));
}
