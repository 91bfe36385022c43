// What may change in a machine's configuration, and when.
#include "vmm/config/change.h"

#include "tests/catch.h"
#include "tests/config/random_config.h"
#include "vmm/config/machine_json.h"
#include "vmm/config/machine_keys.h"

using namespace carrel;
using namespace carrel::config;

namespace {

MachineConfig base() {
    return machine_from_json(
               R"({"name": "g", "kernel": "k", "cpu-cap": "50%", "cpu-burst": "5ms", "memory": "1G",
                                 "memory-quota": "64M", "balloon": true, "disk": ["a", "b,ro,bps=1M"],
                                 "net": ["user,tcp=80"]})",
               "")
        .value();
}

MachineConfig patched(const std::string& patch, bool running = true) {
    const auto then = changed(base(), patch, running, "");
    INFO(patch);
    if (!then.ok()) FAIL(then.error().sentence());
    return then.value();
}

std::string refusal(const std::string& patch, bool running = true) {
    const auto then = changed(base(), patch, running, "");
    INFO(patch);
    REQUIRE_FALSE(then.ok());
    return then.error().sentence();
}

}  // namespace

TEST_CASE("change: what isn't named stays as it is") {
    CHECK(patched("{}") == base());
    MachineConfig then = base();
    then.cpu_quota.cap = kWholeCpu / 4;
    CHECK(patched(R"({"cpu-cap": "25%"})") == then);
    for (uint32_t seed = 0; seed < 50; ++seed) {
        const MachineConfig config = test::RandomConfig(seed).machine();
        CHECK(changed(config, "{}", true, "").value() == config);
    }
}

TEST_CASE("change: null stands for the default") {
    CHECK_FALSE(patched(R"({"cpu-cap": null, "cpu-burst": null})").cpu_quota.cap);
    CHECK(refusal(R"({"cpu-cap": null})").starts_with("cpu-burst: it belongs to a cap"));
    CHECK_FALSE(patched(R"({"disk[1].bps": null})").disks[1].rate.limits());
}

TEST_CASE("change: a word of a device's is named by the device") {
    const MachineConfig then =
        patched(R"({"disk[0].bps": "10M", "disk[1].ops": 5, "net[0].bps": 1, "balloon.size": "64M"})");
    CHECK(then.disks[0].rate.bytes == 10 * kMiB);
    CHECK(then.disks[1].rate == RateConfig{kMiB, 5, {}});
    CHECK(then.disks[1].read_only);
    CHECK(then.nets[0].rate.bytes == 1);
    CHECK(then.balloon->size == 64 * kMiB);
    for (const char* path :
         {"disk[2].bps", "disk[].bps", "disk[x].bps", "disk[0.bps", "disk.bps", "vsock.cid", "kernel.x", ".",
          "disk[4294967296].bps", "net[-1].bps", "[0].bps"}) {
        INFO(path);
        CHECK(refusal("{\"" + std::string(path) + "\": 1}").find("has no device for") != std::string::npos);
    }
    CHECK(refusal(R"({"disk[0].bqs": 1})") == "disk[0]: unknown key 'bqs'; did you mean 'bps'?");
    CHECK(
        refusal(R"({"disk[0]": {"file": "c"}})").starts_with("unknown key 'disk[0]'; did you mean 'disk'?"));
}

TEST_CASE("change: while the guest runs only what may change then does") {
    for (const char* patch :
         {R"({"kernel": "x"})", R"({"memory": "2G"})", R"({"name": "h"})", R"({"cpus": 2})",
          R"({"disk": ["a"]})", R"({"disk": ["b,ro,bps=1M", "a"]})", R"({"disk[0].ro": true})",
          R"({"disk[1].file": "c"})", R"({"balloon": null})", R"({"net[0].mtu": 1400})",
          R"({"balloon.statistics": "1s"})", R"({"rng": true})", R"({"swap": "s"})"}) {
        INFO(patch);
        CHECK(refusal(patch).find("it can't change while the guest runs") != std::string::npos);
        CHECK(changed(base(), patch, false, "").ok());
    }
    CHECK(patched(R"({"disk": ["a,ops=5", "b,ro"]})").disks[0].rate.operations == 5);
    CHECK(patched(R"({"memory-quota": "32M", "on-memory-limit": "kill"})").memory_quota->bytes == 32 * kMiB);
}

TEST_CASE("change: each key says whether it may change, and is held to it") {
    for (const MachineKey& key : machine_keys()) {
        INFO(key.name);
        const bool live = std::string(key.name).starts_with("cpu-") ||
                          std::string(key.name) == "memory-quota" ||
                          std::string(key.name) == "on-memory-limit";
        CHECK(key.live == live);
    }
}

TEST_CASE("change: what was typed for one key is a patch") {
    CHECK(patched(patch_of("cpu-cap", "25%").value()).cpu_quota.cap == kWholeCpu / 4);
    CHECK(patched(patch_of("cpu-weight", "7").value()).cpu_quota.weight == 7);
    CHECK(patched(patch_of("cpu-weight", "default").value()) == base());
    CHECK(patched(patch_of("rng", "true").value(), false).entropy);
    CHECK_FALSE(patch_of("kernel", "\xff").ok());
}
