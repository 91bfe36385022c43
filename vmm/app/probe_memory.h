// Is there memory for a guest, and of which pages?
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "vmm/app/doctor_report.h"
#include "vmm/app/host_files.h"

namespace carrel::app {

struct HostMemory {
    uint64_t total = 0, available = 0;       // bytes, of the host
    std::optional<uint64_t> limit_left;      // what this process's cgroup may still use
    std::string transparent;                 // "always", "madvise", "never" or empty
    uint64_t pool_pages = 0, pool_free = 0;  // hugetlb, 2 MiB each
};

HostMemory look_at_memory(Opener& opener);
Finding judge_memory(const HostMemory& memory);
Finding judge_huge_pages(const HostMemory& memory);
Finding judge_pool(const HostMemory& memory);

}  // namespace carrel::app
