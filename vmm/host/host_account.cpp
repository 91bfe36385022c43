#include "vmm/host/host_account.h"

#include <fmt/format.h>
#include <sys/sysinfo.h>

#include "vmm/base/host_cpus.h"
#include "vmm/model/config_text.h"

namespace carrel {
namespace {

HostResources sum(const HostResources& a, const HostResources& b) {
    return {a.cpu + b.cpu, a.memory + b.memory, a.disk + b.disk, a.net + b.net};
}

HostResources difference(const HostResources& a, const HostResources& b) {
    return {a.cpu - b.cpu, a.memory - b.memory, a.disk - b.disk, a.net - b.net};
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
    return resources;
}

HostResources wanted_by(const MachineConfig& guest) {
    HostResources wanted;
    wanted.cpu = guest.cpu_quota.reserve;
    wanted.memory = guest.memory_quota ? guest.memory_quota->bytes : guest.memory_or_default();
    for (const DiskConfig& disk : guest.disks) wanted.disk += disk.rate.bytes;
    for (const NetConfig& net : guest.nets) wanted.net += net.rate.bytes;
    return wanted;
}

Result<void> HostAccount::fits(const std::string& name, const HostResources& wanted,
                               const HostResources& promised) const {
    const HostResources after = sum(promised, wanted);
    if (after.cpu > total_.cpu)
        return refuse(name, "the CPUs", cpu_share_text(wanted.cpu), cpu_share_text(promised.cpu),
                      cpu_share_text(total_.cpu), "reserve less, or say how much to over-commit");
    if (after.memory > total_.memory)
        return refuse(name, "memory", size_text(wanted.memory), size_text(promised.memory),
                      size_text(total_.memory),
                      "give it less, or a memory quota, or say how much to over-commit");
    if (total_.disk != 0 && after.disk > total_.disk)
        return refuse(name, "disk traffic a second", size_text(wanted.disk), size_text(promised.disk),
                      size_text(total_.disk), "lower the limits of its disks");
    if (total_.net != 0 && after.net > total_.net)
        return refuse(name, "network traffic a second", size_text(wanted.net), size_text(promised.net),
                      size_text(total_.net), "lower the limits of its network interfaces");
    return {};
}

Result<void> HostAccount::admit(const MachineConfig& guest) {
    if (guests_ >= kMostGuests)
        return host_error(fmt::format("{} doesn't fit: there are {} guests already", guest.name, guests_),
                          "start another host");
    const HostResources wanted = wanted_by(guest);
    TRY(fits(guest.name, wanted, promised_));
    promised_ = sum(promised_, wanted);
    ++guests_;
    return {};
}

void HostAccount::release(const MachineConfig& guest) {
    promised_ = difference(promised_, wanted_by(guest));
    --guests_;
}

Result<void> HostAccount::exchange(const MachineConfig& before, const MachineConfig& after) {
    const HostResources others = difference(promised_, wanted_by(before));
    const HostResources wanted = wanted_by(after);
    TRY(fits(after.name, wanted, others));
    promised_ = sum(others, wanted);
    return {};
}

}  // namespace carrel
