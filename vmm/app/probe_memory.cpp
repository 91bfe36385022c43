#include "vmm/app/probe_memory.h"

#include <fmt/core.h>

#include <algorithm>
#include <string_view>

#include "vmm/model/machine_config.h"

namespace carrel::app {
namespace {

constexpr const char* kPool = "/sys/kernel/mm/hugepages/hugepages-2048kB/";

uint64_t meminfo(const std::string& text, const char* key) {
    const auto value = value_of(text, key);  // "16316044 kB"
    return value ? to_number(*value).value_or(0) * kKiB : 0;
}

// "always [madvise] never" → "madvise"
std::string chosen(const std::string& line) {
    const size_t begin = line.find('[');
    const size_t end = line.find(']', begin == std::string::npos ? 0 : begin);
    return begin == std::string::npos || end == std::string::npos ? ""
                                                                  : line.substr(begin + 1, end - begin - 1);
}

// What one group may still use; nothing where it has no limit ("max", which is no number).
std::optional<uint64_t> group_left(Opener& opener, const std::string& group, const char* limit_file,
                                   const char* used_file) {
    const auto limit = read_number(opener, group + limit_file);
    const auto used = read_number(opener, group + used_file);
    if (!limit || !used) return std::nullopt;
    return *limit - std::min(*limit, *used);
}

// The tightest of a group and those that it lies in.
std::optional<uint64_t> hierarchy_left(Opener& opener, const std::string& root, std::string group,
                                       const char* limit_file, const char* used_file) {
    std::optional<uint64_t> least;
    while (true) {
        if (const auto here = group_left(opener, root + group, limit_file, used_file)) {
            least = std::min(*here, least.value_or(*here));
        }
        if (group.empty() || group == "/") return least;
        group.erase(group.rfind('/'));
    }
}

// Control groups, version 2; else version 1 where distributions mount it. "No limit" there is a number larger
// than memory.
std::optional<uint64_t> cgroup_left(Opener& opener) {
    const std::string groups = read_text(opener, "/proc/self/cgroup").value_or("");
    if (const auto at = groups.find(":memory:"); at != std::string::npos) {
        const size_t begin = at + std::string_view(":memory:").size();
        const std::string group = groups.substr(begin, groups.find('\n', begin) - begin);
        return hierarchy_left(opener, "/sys/fs/cgroup/memory", group, "/memory.limit_in_bytes",
                              "/memory.usage_in_bytes");
    }
    const auto group = value_of(groups, "0::");
    if (!group) return std::nullopt;
    return hierarchy_left(opener, "/sys/fs/cgroup", *group, "/memory.max", "/memory.current");
}

uint64_t left(const HostMemory& m) {
    return std::min(m.available, m.limit_left.value_or(m.available));
}

}  // namespace

HostMemory look_at_memory(Opener& opener) {
    HostMemory memory;
    const std::string text = read_text(opener, "/proc/meminfo").value_or("");
    memory.total = meminfo(text, "MemTotal");
    memory.available = meminfo(text, "MemAvailable");
    memory.limit_left = cgroup_left(opener);
    memory.transparent =
        chosen(read_line(opener, "/sys/kernel/mm/transparent_hugepage/enabled").value_or(""));
    memory.pool_pages = read_number(opener, std::string(kPool) + "nr_hugepages").value_or(0);
    memory.pool_free = read_number(opener, std::string(kPool) + "free_hugepages").value_or(0);
    return memory;
}

Finding judge_memory(const HostMemory& memory) {
    const uint64_t free = left(memory);
    Finding f{"memory",
              FindingState::kOk,
              fmt::format("{} MiB of {} MiB of memory are available{}", free / kMiB, memory.total / kMiB,
                          free < memory.available ? " (the cgroup's limit)" : ""),
              {}};
    if (free >= MachineConfig::kDefaultKernelMemory) return f;
    f.state = FindingState::kWarn;
    f.sentence += fmt::format(": less than the {} MiB that `carrel run KERNEL` gives a guest",
                              MachineConfig::kDefaultKernelMemory / kMiB);
    f.advice.emplace_back("free some, or give the guest less with --memory");
    return f;
}

Finding judge_huge_pages(const HostMemory& memory) {
    if (memory.transparent == "always" || memory.transparent == "madvise") {
        return {"transparent-huge-pages",
                FindingState::kOk,
                fmt::format("transparent huge pages are on ({}): guest memory comes in pieces of 2 MiB",
                            memory.transparent),
                {}};
    }
    return {"transparent-huge-pages",
            FindingState::kWarn,
            "transparent huge pages are off: guest memory comes page by page, and guests start slower",
            {"echo madvise | sudo tee /sys/kernel/mm/transparent_hugepage/enabled"}};
}

Finding judge_pool(const HostMemory& memory) {
    if (memory.pool_pages == 0) {
        return {"hugetlb",
                FindingState::kInfo,
                "no huge pages are reserved: `carrel run --hugepages` won't work",
                {"to reserve 1 GiB: echo 512 | sudo tee /proc/sys/vm/nr_hugepages"}};
    }
    return {
        "hugetlb",
        FindingState::kInfo,
        fmt::format("{} of {} reserved huge pages are free: `carrel run --hugepages` can give guests {} MiB",
                    memory.pool_free, memory.pool_pages, memory.pool_free * kHugePageSize / kMiB),
        {}};
}

}  // namespace carrel::app
