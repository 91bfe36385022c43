#include "vmm/host/host_account.h"

#include "tests/catch.h"

using namespace carrel;

namespace {

MachineConfig guest(const char* name, uint64_t memory, CpuShare reserve = 0) {
    MachineConfig config;
    config.name = name;
    config.memory = memory;
    config.cpu_quota.reserve = reserve;
    return config;
}

constexpr HostResources kTwoCpus{2 * kWholeCpu, 1024 * kMiB, 0, 0};

}  // namespace

TEST_CASE("account: what fits exactly is admitted, and one page more is refused with the sums") {
    HostAccount account(kTwoCpus);
    REQUIRE(account.admit(guest("a", 1000 * kMiB)).ok());
    CHECK(account.admit(guest("b", 24 * kMiB)).ok());
    const auto refused = account.admit(guest("c", 16 * kMiB));
    REQUIRE_FALSE(refused.ok());
    CHECK(refused.error().what ==
          "c doesn't fit: it wants 16M of memory, and 1G of the host's 1G are promised");
    CHECK(account.guests() == 2);
    CHECK(account.promised().memory == 1024 * kMiB);
    account.release(guest("b", 24 * kMiB));
    CHECK(account.admit(guest("c", 16 * kMiB)).ok());
}

TEST_CASE("account: reservations of CPUs are summed; a cap alone promises nothing") {
    HostAccount account(kTwoCpus);
    REQUIRE(account.admit(guest("a", kMiB, 1'500'000)).ok());
    const auto refused = account.admit(guest("b", kMiB, 600'000));
    REQUIRE_FALSE(refused.ok());
    CHECK(refused.error().what ==
          "b doesn't fit: it wants 60% of the CPUs, and 150% of the host's 200% are promised");
    MachineConfig capped = guest("c", kMiB);
    capped.cpu_quota.cap = 2 * kWholeCpu;
    CHECK(account.admit(capped).ok());
    CHECK(account.promised().cpu == 1'500'000);
}

TEST_CASE("account: a guest with a memory quota counts with that") {
    HostAccount account(kTwoCpus);
    MachineConfig large = guest("a", 4096 * kMiB);
    CHECK_FALSE(account.admit(large).ok());
    large.memory_quota = MemoryQuota{512 * kMiB, {}, OnMemoryLimit::kHold};
    CHECK(account.admit(large).ok());
    CHECK(account.promised().memory == 512 * kMiB);
}

TEST_CASE("account: disks and networks are refused only where somebody has said how much there is") {
    MachineConfig busy = guest("a", kMiB);
    busy.disks.push_back({});
    busy.disks.back().rate.bytes = 100 * kMiB;
    busy.nets.push_back({});
    busy.nets.back().rate.bytes = 10 * kMiB;
    HostAccount open_end(kTwoCpus);
    CHECK(open_end.admit(busy).ok());
    CHECK(open_end.promised().disk == 100 * kMiB);
    CHECK(open_end.promised().net == 10 * kMiB);
    HostAccount small_disk({kTwoCpus.cpu, kTwoCpus.memory, 99 * kMiB, 0});
    CHECK_FALSE(small_disk.admit(busy).ok());
    HostAccount small_net({kTwoCpus.cpu, kTwoCpus.memory, 0, 9 * kMiB});
    CHECK_FALSE(small_net.admit(busy).ok());
    CHECK(small_net.promised() == HostResources{});
}

TEST_CASE(
    "account: where a total is said, a guest without a limit is refused, and a rate is checked when it is "
    "set") {
    HostConfig said;
    said.cpus = {0, 1};
    said.memory = 1024 * kMiB;
    said.disk.bytes = 100 * kMiB;
    said.disk.operations = 1000;
    said.net.bytes = 10 * kMiB;
    said.net.operations = 500;
    HostAccount account(HostResources::of(said));
    MachineConfig busy = guest("a", kMiB);
    CHECK(account.admit(guest("without", kMiB)).ok());
    busy.disks.push_back({});
    CHECK(account.admit(busy).error().what ==
          "a doesn't fit: one of its disks has no bps=, and the host's total is to be divided");
    busy.disks[0].rate.bytes = 60 * kMiB;
    CHECK(account.admit(busy).error().what ==
          "a doesn't fit: one of its disks has no ops=, and the host's total is to be divided");
    busy.disks[0].rate.operations = 600;
    busy.nets.push_back({});
    busy.nets[0].rate.bytes = 4 * kMiB;
    CHECK(account.admit(busy).error().what ==
          "a doesn't fit: one of its networks has no ops=, and the host's total is to be divided");
    busy.nets[0].rate.operations = 500;
    REQUIRE(account.admit(busy).ok());
    MachineConfig other = guest("b", kMiB);
    other.disks.push_back({});
    other.disks[0].rate.bytes = 40 * kMiB;
    other.disks[0].rate.operations = 401;
    CHECK(account.admit(other).error().what ==
          "b doesn't fit: it wants 401 of disk operations a second, and 600 of the host's 1000 are promised");
    other.disks[0].rate.operations = 400;
    REQUIRE(account.admit(other).ok());
    MachineConfig more = other;
    more.disks[0].rate.bytes = 41 * kMiB;
    CHECK(account.exchange(other, more).error().what ==
          "b doesn't fit: it wants 41M of disk traffic a second, and 60M of the host's 100M are promised");
    more.disks[0].rate.bytes = 0;
    CHECK_FALSE(account.exchange(other, more).ok());
    CHECK(account.promised().disk == 100 * kMiB);
    account.release(busy);
    CHECK(account.promised().disk == 40 * kMiB);
    CHECK(account.promised().net_operations == 0);
}

TEST_CASE("account: limits without end don't begin at 0 again when they are summed") {
    HostConfig said;
    said.disk.bytes = RateConfig::kMost;
    HostAccount account(HostResources::of(said));
    MachineConfig huge = guest("a", kMiB);
    for (int i = 0; i < 16; ++i) {
        huge.disks.push_back({});
        huge.disks.back().rate.bytes = RateConfig::kMost;  // 2^64 together
    }
    CHECK_FALSE(account.admit(huge).ok());
    CHECK(account.promised() == HostResources{});
}

TEST_CASE("account: a change is done whole or not at all") {
    HostAccount account(kTwoCpus);
    REQUIRE(account.admit(guest("a", 512 * kMiB, kWholeCpu)).ok());
    REQUIRE(account.admit(guest("b", 256 * kMiB, kWholeCpu / 2)).ok());
    const HostResources before = account.promised();
    CHECK_FALSE(
        account.exchange(guest("b", 256 * kMiB, kWholeCpu / 2), guest("b", 256 * kMiB, 2 * kWholeCpu)).ok());
    CHECK(account.promised() == before);
    CHECK(account.exchange(guest("b", 256 * kMiB, kWholeCpu / 2), guest("b", 256 * kMiB, kWholeCpu)).ok());
    CHECK(account.promised().cpu == 2 * kWholeCpu);
}

TEST_CASE("account: over-commit is as much as is said") {
    HostConfig config;
    config.cpus = {0, 1};
    config.memory = 1024 * kMiB;
    CHECK(HostResources::of(config) == kTwoCpus);
    config.memory_overcommit = kWholeCpu * 3 / 2;
    const HostResources more = HostResources::of(config);
    CHECK(more.cpu == kTwoCpus.cpu);
    HostAccount account(more);
    CHECK(account.admit(guest("a", 1536 * kMiB)).ok());
    CHECK_FALSE(account.admit(guest("b", 16 * kMiB)).ok());
}

TEST_CASE("account: this host has something to give") {
    const HostResources here = HostResources::of({});
    CHECK(here.cpu >= kWholeCpu);
    CHECK(here.memory > 64 * kMiB);
}
