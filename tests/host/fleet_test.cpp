#include "vmm/host/fleet.h"

#include "tests/host/fleet_rig.h"

using namespace carrel;
using namespace carrel::test;

TEST_CASE("fleet: a guest's whole life, and the events that tell of it") {
    if (!have_kvm("fleet")) return;
    FleetRig rig;
    REQUIRE(rig.create(small("web")).ok());
    CHECK(rig.state("web") == GuestState::kCreated);
    REQUIRE(rig.start("web").ok());
    REQUIRE(rig.wait_for_words("web", "carrel> "));
    CHECK(rig.pause("web").ok());
    CHECK(rig.state("web") == GuestState::kPaused);
    CHECK(rig.resume("web").ok());
    REQUIRE(rig.type("web", "echo still there\n"));
    REQUIRE(rig.wait_for_words("web", "still there", 2));
    REQUIRE(rig.type("web", "poweroff\n"));
    REQUIRE(rig.wait_for_state("web", GuestState::kEnded));
    CHECK(rig.info("web").why == "the guest powered off");
    REQUIRE(rig.remove("web").ok());
    CHECK(rig.state("web") == GuestState::kAbsent);
    CHECK(rig.events() == std::vector<std::string>{"web loading loading", "web created created",
                                                   "web started running", "web paused paused",
                                                   "web resumed running", "web ended ended",
                                                   "web deleted absent"});
    CHECK(rig.numbers_right());
}

TEST_CASE("fleet: one that has ended starts again, on the same console") {
    if (!have_kvm("fleet again")) return;
    FleetRig rig;
    REQUIRE(rig.create(small("web", "carrel.run=\"echo hello\"")).ok());
    for (size_t i = 1; i <= 3; ++i) {
        REQUIRE(rig.start("web").ok());
        REQUIRE(rig.wait_for_state("web", GuestState::kEnded));
        CHECK(rig.wait_for_words("web", "\nhello", i));
    }
}

TEST_CASE("fleet: a guest that is paused says nothing more, and its neighbour goes on") {
    if (!have_kvm("fleet pause")) return;
    FleetRig rig;
    for (const char* name : {"a", "b"}) {
        REQUIRE(rig.create(small(name)).ok());
        REQUIRE(rig.start(name).ok());
    }
    for (const char* name : {"a", "b"}) REQUIRE(rig.wait_for_words(name, "carrel> "));
    REQUIRE(rig.pause("a").ok());
    const std::string before = rig.said("a");
    REQUIRE(rig.type("a", "echo later\n"));
    REQUIRE(rig.type("b", "echo now\n"));
    REQUIRE(rig.wait_for_words("b", "now", 2));
    CHECK(rig.said("a") == before);
    REQUIRE(rig.resume("a").ok());
    CHECK(rig.wait_for_words("a", "later", 2));
}

TEST_CASE("fleet: stop presses the power button") {
    if (!have_kvm("fleet stop")) return;
    FleetRig rig;
    REQUIRE(rig.create(small("web")).ok());
    REQUIRE(rig.start("web").ok());
    REQUIRE(rig.wait_for_words("web", "carrel> "));
    REQUIRE(rig.on_io([](Fleet& f) { return f.stop("web").ok(); }));
    REQUIRE(rig.wait_for_state("web", GuestState::kEnded));
    CHECK(rig.info("web").end->reason == EndReason::kPowerOff);
    const auto events = rig.events();
    CHECK(std::ranges::find(events, "web stopping stopping") != events.end());
}

TEST_CASE("fleet: kill, and each verb that makes no sense is refused with its reason") {
    if (!have_kvm("fleet kill")) return;
    FleetRig rig;
    REQUIRE(rig.create(small("a")).ok());
    CHECK(rig.create(small("a")).error().sentence().find("one of that name already") != std::string::npos);
    CHECK(rig.pause("a").error().sentence() == "cannot pause a: it hasn't been started; start it first");
    REQUIRE(rig.start("a").ok());
    CHECK_FALSE(rig.start("a").ok());
    CHECK_FALSE(rig.remove("a").ok());
    CHECK(rig.on_io([](Fleet& f) { return f.kill("nobody"); }).error().sentence() ==
          "cannot kill nobody: there is no such guest; see carrel ctl list");
    REQUIRE(rig.on_io([](Fleet& f) { return f.kill("a").ok(); }));
    REQUIRE(rig.wait_for_state("a", GuestState::kEnded));
    CHECK(rig.info("a").why == "the guest was ended: it was killed");
    CHECK_FALSE(rig.on_io([](Fleet& f) { return f.kill("a").ok(); }));
}

TEST_CASE("fleet: admission refuses what doesn't fit, and what goes makes room") {
    if (!have_kvm("fleet admission")) return;
    FleetRig rig({kWholeCpu, 80 * kMiB, 0, 0});
    REQUIRE(rig.create(small("a")).ok());
    REQUIRE(rig.create(small("b")).ok());
    const auto refused = rig.create(small("c"));
    REQUIRE_FALSE(refused.ok());
    CHECK(refused.error().what ==
          "c doesn't fit: it wants 32M of memory, and 64M of the host's 80M are promised");
    REQUIRE(rig.remove("a").ok());
    CHECK(rig.create(small("c")).ok());
    CHECK(rig.events().size() == 7);  // nothing of the one that was refused
}

TEST_CASE("fleet: a set is whole, told, and holds for the next start, too") {
    if (!have_kvm("fleet set")) return;
    FleetRig rig({kWholeCpu, 256 * kMiB, 0, 0});
    MachineConfig config = small("a");
    config.balloon = BalloonOptions{};
    REQUIRE(rig.create(config).ok());
    REQUIRE(rig.start("a").ok());
    const auto set = [&rig](CpuShare reserve, uint64_t balloon) {
        return rig.on_io([=](Fleet& fleet) {
            return fleet.change("a", [=](const MachineConfig& now, bool) -> Result<MachineConfig> {
                MachineConfig then = now;
                then.cpu_quota.reserve = reserve;
                then.balloon->size = balloon;
                return then;
            });
        });
    };
    CHECK(set(kWholeCpu / 2, 4 * kMiB).ok());
    CHECK(rig.info("a").config.balloon->size == 4 * kMiB);
    CHECK(rig.on_io([](Fleet& f) { return f.account().promised().cpu; }) == kWholeCpu / 2);
    CHECK(rig.stats("a").machine.balloon->target == 4 * kMiB);
    CHECK_FALSE(set(2 * kWholeCpu, 8 * kMiB).ok());  // more than there is
    CHECK(rig.info("a").config.balloon->size == 4 * kMiB);
    CHECK(rig.events().back() == "a changed running");
}

TEST_CASE("fleet: figures of a guest that runs") {
    if (!have_kvm("fleet stats")) return;
    FleetRig rig;
    MachineConfig config = small("a");
    config.cpus = 2;
    REQUIRE(rig.create(config).ok());
    CHECK(rig.stats("a").vcpus.empty());
    REQUIRE(rig.start("a").ok());
    REQUIRE(rig.wait_for_words("a", "carrel> "));
    const GuestStats stats = rig.stats("a");
    REQUIRE(stats.vcpus.size() == 2);
    for (const VcpuStats& vcpu : stats.vcpus) REQUIRE(vcpu.sample.has_value());
    CHECK(stats.vcpus[0].sample->thread > 0);
    CHECK(stats.vcpus[0].sample->thread != stats.vcpus[1].sample->thread);
    CHECK(stats.vcpus[0].sample->times.run > 0);
    CHECK(stats.vcpus[0].exits > 0);
    CHECK(stats.up > 0);
}

TEST_CASE("fleet: the end of the process waits for every guest") {
    if (!have_kvm("fleet end")) return;
    FleetRig rig;
    for (const char* name : {"made", "runs", "stands"}) REQUIRE(rig.create(small(name)).ok());
    for (const char* name : {"runs", "stands"}) REQUIRE(rig.start(name).ok());
    REQUIRE(rig.wait_for_words("runs", "carrel> "));
    REQUIRE(rig.pause("stands").ok());
    std::promise<void> quiet;
    rig.host().post([&] { rig.host().fleet().stop_all(300 * kMillisecond, [&] { quiet.set_value(); }); });
    REQUIRE(quiet.get_future().wait_for(std::chrono::seconds(30)) == std::future_status::ready);
    CHECK(rig.state("runs") == GuestState::kEnded);
    CHECK(rig.state("stands") == GuestState::kEnded);
    CHECK_FALSE(rig.create(small("late")).ok());
}
