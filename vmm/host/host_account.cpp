#include "vmm/host/host_account.h"

#include <fmt/format.h>
#include <sys/sysinfo.h>

#include <algorithm>
#include <string>

#include "vmm/base/host_cpus.h"
#include "vmm/model/config_text.h"

namespace carrel {
namespace {

HostResources sum(const HostResources& a, const HostResources& b) {
    return {a.cpu + b.cpu,
            a.memory + b.memory,
            a.disk + b.disk,
            a.net + b.net,
            a.disk_operations + b.disk_operations,
            a.net_operations + b.net_operations};
}

HostResources difference(const HostResources& a, const HostResources& b) {
    return {a.cpu - b.cpu,
            a.memory - b.memory,
            a.disk - b.disk,
            a.net - b.net,
            a.disk_operations - b.disk_operations,
            a.net_operations - b.net_operations};
}

// More than any total can be: it doesn't begin at 0 again.
uint64_t limited_sum(uint64_t a, uint64_t b) {
    constexpr uint64_t kEnough = 2 * RateConfig::kMost;
    return std::min(a + std::min(b, kEnough), kEnough);
}

uint64_t times(uint64_t amount, CpuShare factor) {
    const auto by = static_cast<uint64_t>(factor);
    return amount / kWholeCpu * by + amount % kWholeCpu * by / kWholeCpu;
}

uint64_t memory_of_this_host() {
    struct sysinfo info {};
    if (::sysinfo(&info) != 0) return 0;
    return uint64_t{info.totalram} * info.mem_unit / kMiB * kMiB;
}

Result<void> refuse(const std::string& name, const char* what, const std::string& wanted,
                    const std::string& promised, const std::string& total, const char* advice) {
    return host_error(fmt::format("{} doesn't fit: it wants {} of {}, and {} of the host's {} are promised",
                                  name, wanted, what, promised, total),
                      advice);
}

}  // namespace

HostResources HostResources::of(const HostConfig& config) {
    HostResources resources;
    const uint64_t cpus = uint64_t{count_usable_cpus(config.cpus)} * kWholeCpu;
    resources.cpu = static_cast<CpuShare>(times(cpus, config.cpu_overcommit));
    resources.memory =
        times(config.memory != 0 ? config.memory : memory_of_this_host(), config.memory_overcommit);
    resources.disk = config.disk.bytes;
    resources.net = config.net.bytes;
    resources.disk_operations = config.disk.operations;
    resources.net_operations = config.net.operations;
    return resources;
}

HostResources wanted_by(const MachineConfig& guest) {
    HostResources wanted;
    wanted.cpu = guest.cpu_quota.reserve;
    wanted.memory = guest.memory_quota ? guest.memory_quota->bytes : guest.memory_or_default();
    for (const DiskConfig& disk : guest.disks) {
        wanted.disk = limited_sum(wanted.disk, disk.rate.bytes);
        wanted.disk_operations = limited_sum(wanted.disk_operations, disk.rate.operations);
    }
    for (const NetConfig& net : guest.nets) {
        wanted.net = limited_sum(wanted.net, net.rate.bytes);
        wanted.net_operations = limited_sum(wanted.net_operations, net.rate.operations);
    }
    return wanted;
}

// Of each thing that the host says a total of.
Result<void> HostAccount::check_limits(const MachineConfig& guest) const {
    const auto refused = [&](const char* device, const char* word) {
        return host_error(
            fmt::format("{} doesn't fit: one of its {}s has no {}, and the host's total is to be divided",
                        guest.name, device, word),
            std::string("give each ") + device + " " + word);
    };
    for (const DiskConfig& disk : guest.disks) {
        if (total_.disk != 0 && disk.rate.bytes == 0) return refused("disk", "bps=");
        if (total_.disk_operations != 0 && disk.rate.operations == 0) return refused("disk", "ops=");
    }
    for (const NetConfig& net : guest.nets) {
        if (total_.net != 0 && net.rate.bytes == 0) return refused("network", "bps=");
        if (total_.net_operations != 0 && net.rate.operations == 0) return refused("network", "ops=");
    }
    return {};
}

Result<void> HostAccount::fits(const MachineConfig& guest, const HostResources& promised) const {
    TRY(check_limits(guest));
    const HostResources wanted = wanted_by(guest), after = sum(promised, wanted);
    const auto too_much = [](uint64_t sum, uint64_t total) { return total != 0 && sum > total; };
    const auto refused = [&](const char* what, uint64_t HostResources::*part, auto text, const char* advice) {
        return refuse(guest.name, what, text(wanted.*part), text(promised.*part), text(total_.*part), advice);
    };
    const auto number = [](uint64_t n) { return std::to_string(n); };
    if (after.cpu > total_.cpu)
        return refuse(guest.name, "the CPUs", cpu_share_text(wanted.cpu), cpu_share_text(promised.cpu),
                      cpu_share_text(total_.cpu), "reserve less, or say how much to over-commit");
    if (after.memory > total_.memory)
        return refused("memory", &HostResources::memory, size_text,
                       "give it less, or a memory quota, or say how much to over-commit");
    if (too_much(after.disk, total_.disk))
        return refused("disk traffic a second", &HostResources::disk, size_text,
                       "lower the limits of its disks");
    if (too_much(after.disk_operations, total_.disk_operations))
        return refused("disk operations a second", &HostResources::disk_operations, number,
                       "lower the limits of its disks");
    if (too_much(after.net, total_.net))
        return refused("network traffic a second", &HostResources::net, size_text,
                       "lower the limits of its network interfaces");
    if (too_much(after.net_operations, total_.net_operations))
        return refused("frames a second", &HostResources::net_operations, number,
                       "lower the limits of its network interfaces");
    return {};
}

Result<void> HostAccount::admit(const MachineConfig& guest) {
    if (guests_ >= kMostGuests)
        return host_error(fmt::format("{} doesn't fit: there are {} guests already", guest.name, guests_),
                          "start another host");
    TRY(fits(guest, promised_));
    promised_ = sum(promised_, wanted_by(guest));
    ++guests_;
    return {};
}

void HostAccount::release(const MachineConfig& guest) {
    promised_ = difference(promised_, wanted_by(guest));
    --guests_;
}

Result<void> HostAccount::exchange(const MachineConfig& before, const MachineConfig& after) {
    const HostResources others = difference(promised_, wanted_by(before));
    TRY(fits(after, others));
    promised_ = sum(others, wanted_by(after));
    return {};
}

}  // namespace carrel
