#include "vmm/memory/mapping_budget.h"

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <cstdlib>
#include <string>

#include "vmm/base/check.h"

namespace carrel {
namespace {

// For the program, its threads' stacks, KVM's pages and the heap.
constexpr uint64_t kOurs = 4096;
constexpr uint64_t kKernelsDefault = 65530;  // where it can't be read

uint64_t limit_now(Opener& opener) {
    const auto file = opener.open("/proc/sys/vm/max_map_count", O_RDONLY);
    std::array<char, 24> text{};
    if (!file.ok() || ::read(file->get(), text.data(), text.size() - 1) <= 0) return kKernelsDefault;
    return std::strtoull(text.data(), nullptr, 10);
}

}  // namespace

Result<MappingBudget::Share> MappingBudget::take(Opener& opener, uint64_t mappings) {
    const uint64_t limit = limit_now(opener);
    MutexLock lock(mutex_);
    const uint64_t used = kOurs + taken_;
    if (used > limit || mappings > limit - used) {
        return host_error("a memory quota for this guest takes up to " + std::to_string(mappings) +
                              " mappings; this process may have " + std::to_string(limit) + ", and " +
                              std::to_string(used) + " are spoken for",
                          "raise sysctl vm.max_map_count, or give the guest less memory");
    }
    taken_ += mappings;
    return Share(this, mappings);
}

void MappingBudget::give_back(uint64_t mappings) {
    MutexLock lock(mutex_);
    CHECK(mappings <= taken_);
    taken_ -= mappings;
}

uint64_t MappingBudget::taken() const {
    MutexLock lock(mutex_);
    return taken_;
}

}  // namespace carrel
