// What goes wrong with one guest is no matter to another, and nothing is left of one that is gone.
#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>

#include <fstream>

#include "tests/host/fleet_rig.h"

using namespace carrel;
using namespace carrel::test;

namespace {

size_t entries_of(const char* folder) {
    DIR* const opened = ::opendir(folder);
    size_t count = 0;
    while (::readdir(opened) != nullptr) ++count;
    ::closedir(opened);
    return count;
}

// Threads, descriptors and guest memory of this process.
struct Held {
    size_t threads = entries_of("/proc/self/task");
    size_t descriptors = entries_of("/proc/self/fd");
    size_t memories = 0;  // mappings of just a guest's size
    explicit Held(uint64_t guest_memory) {
        std::ifstream maps("/proc/self/maps");
        for (std::string line; std::getline(maps, line);) {
            uint64_t begin = 0, end = 0;
            if (::sscanf(line.c_str(), "%lx-%lx", &begin, &end) == 2 && end - begin == guest_memory)
                ++memories;
        }
    }
};

}  // namespace

TEST_CASE("fleet: one guest's triple fault and reset beside another") {
    if (!have_kvm("fleet trouble")) return;
    FleetRig rig;
    REQUIRE(rig.create(small("good")).ok());
    REQUIRE(rig.start("good").ok());
    REQUIRE(rig.wait_for_words("good", "carrel> "));
    const struct {
        const char* command;
        EndReason reason;
    } ends[] = {{"fault", EndReason::kTripleFault}, {"reboot", EndReason::kReset}};
    for (const auto& [command, reason] : ends) {
        REQUIRE(rig.create(small(command)).ok());
        REQUIRE(rig.start(command).ok());
        REQUIRE(rig.wait_for_words(command, "carrel> "));
        REQUIRE(rig.type(command, std::string(command) + "\n"));
        REQUIRE(rig.wait_for_state(command, GuestState::kEnded));
        CHECK(rig.info(command).end->reason == reason);
        REQUIRE(rig.type("good", std::string("echo after ") + command + "\n"));
        CHECK(rig.wait_for_words("good", std::string("after ") + command, 2));
    }
}

TEST_CASE("fleet: what can't be loaded is refused, and leaves nothing behind") {
    if (!have_kvm("fleet refused")) return;
    FleetRig rig;
    MachineConfig config = small("a");
    config.boot.kernel = "/nowhere/vmlinuz";
    const auto refused = rig.create(config);
    REQUIRE_FALSE(refused.ok());
    CHECK(refused.error().sentence().find("/nowhere/vmlinuz") != std::string::npos);
    CHECK(rig.state("a") == GuestState::kAbsent);
    CHECK(rig.on_io([](Fleet& f) { return f.account().guests(); }) == 0);
    config.boot.kernel.clear();
    config.serial.kind = SerialConfig::Kind::kPty;
    CHECK_FALSE(rig.create(config).ok());
    config.serial.kind = SerialConfig::Kind::kStdio;
    CHECK(rig.create(config).ok());
}

TEST_CASE("fleet: a reset restarts the guest, off the io thread") {
    if (!have_kvm("fleet restart")) return;
    FleetRig rig;
    MachineConfig config = small("a");
    config.on_reboot = OnReboot::kRestart;
    REQUIRE(rig.create(config).ok());
    REQUIRE(rig.start("a").ok());
    for (size_t i = 1; i <= 3; ++i) {
        REQUIRE(rig.wait_for_words("a", "carrel> ", i));
        REQUIRE(rig.type("a", "reboot\n"));
    }
    REQUIRE(rig.wait_for_words("a", "carrel> ", 4));
    CHECK(rig.stats("a").restarts == 3);
    CHECK(rig.events().back() == "a restarted running");
}

TEST_CASE("fleet: creates and deletes leave no thread, no descriptor and no memory") {
    if (!have_kvm("fleet leaks")) return;
    FleetRig rig;
    const uint64_t size = 34 * kMiB;
    const auto round = [&](int i) {
        const std::string name = "guest" + std::to_string(i);
        MachineConfig config = small(name);
        config.memory = size;
        config.cpus = 2;
        config.balloon = BalloonOptions{};
        config.entropy = true;
        REQUIRE(rig.create(config).ok());
        if (i % 2 == 0) {
            REQUIRE(rig.start(name).ok());
            REQUIRE(rig.on_io([name](Fleet& f) { return f.kill(name).ok(); }));
            REQUIRE(rig.wait_for_state(name, GuestState::kEnded));
        }
        REQUIRE(rig.remove(name).ok());
    };
    for (int i = 0; i < 4; ++i) round(i);
    const Held before(size);
    for (int i = 4; i < 24; ++i) round(i);
    const Held after(size);
    CHECK(after.threads == before.threads);
    CHECK(after.descriptors == before.descriptors);
    CHECK(after.memories == 0);
    CHECK(rig.on_io([](Fleet& f) { return f.account().promised() == HostResources{}; }));
}

TEST_CASE("fleet: a guest that is loaded while the process ends doesn't begin to run") {
    if (!have_kvm("fleet late start")) return;
    FleetRig rig;
    REQUIRE(rig.create(small("again", "carrel.run=\"echo hello\"")).ok());
    REQUIRE(rig.create(small("new")).ok());
    REQUIRE(rig.start("again").ok());
    REQUIRE(rig.wait_for_state("again", GuestState::kEnded));
    std::promise<void> quiet;
    const auto started = rig.later([&](Fleet& fleet, Fleet::Done done) {
        fleet.start("again", std::move(done));  // loads first
        fleet.stop_all(kSecond, [&] { quiet.set_value(); });
    });
    REQUIRE_FALSE(started.ok());
    CHECK(started.error().what == "cannot start again: the host is about to end");
    CHECK(quiet.get_future().wait_for(std::chrono::seconds(30)) == std::future_status::ready);
    CHECK(rig.state("again") == GuestState::kCreated);
    CHECK_FALSE(rig.start("new").ok());
    CHECK(rig.state("new") == GuestState::kCreated);
}
