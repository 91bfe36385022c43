#include "vmm/base/host_cpus.h"

#include <sched.h>

#include <algorithm>
#include <cerrno>
#include <string>

namespace carrel {
namespace {

// A host with more CPUs than CPU_SETSIZE (1,024) tells nothing here: then one is counted, and none refused
// beforehand.
bool usable(cpu_set_t& set) {
    CPU_ZERO(&set);
    return ::sched_getaffinity(0, sizeof set, &set) == 0;
}

cpu_set_t set_of(std::span<const uint32_t> cpus) {
    cpu_set_t set;
    CPU_ZERO(&set);
    for (const uint32_t cpu : cpus)
        if (cpu < CPU_SETSIZE) CPU_SET(cpu, &set);
    return set;
}

}  // namespace

uint32_t count_usable_cpus(std::span<const uint32_t> cpus) {
    cpu_set_t set;
    if (!usable(set)) return 1;
    if (cpus.empty()) return static_cast<uint32_t>(CPU_COUNT(&set));
    uint32_t count = 0;
    for (const uint32_t cpu : cpus) count += cpu < CPU_SETSIZE && CPU_ISSET(cpu, &set) ? 1 : 0;
    return count;
}

Result<void> check_cpus_usable(std::span<const uint32_t> cpus, const char* key) {
    if (count_usable_cpus(cpus) != 0) return {};
    return usage_error(std::string(key) + ": carrel may use none of these CPUs here",
                       "name some of those that nproc counts");
}

Result<void> keep_to_cpus(std::span<const uint32_t> cpus, const char* key) {
    TRY(check_cpus_usable(cpus, key));
    const cpu_set_t set = set_of(cpus);
    if (::sched_setaffinity(0, sizeof set, &set) == 0) return {};
    return os_error(errno, std::string(key) + ": cannot keep to these CPUs");
}

std::vector<uint32_t> usable_cpus(std::span<const uint32_t> cpus) {
    std::vector<uint32_t> found;
    cpu_set_t set;
    if (!usable(set)) return found;
    for (uint32_t cpu = 0; cpu < CPU_SETSIZE; ++cpu)
        if (CPU_ISSET(cpu, &set) && (cpus.empty() || std::ranges::find(cpus, cpu) != cpus.end()))
            found.push_back(cpu);
    return found;
}

void keep_thread_to_cpus(int32_t thread, std::span<const uint32_t> cpus) {
    const cpu_set_t set = set_of(cpus);
    (void)::sched_setaffinity(thread, sizeof set, &set);
}

}  // namespace carrel
