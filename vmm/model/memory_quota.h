// What a person may say about how much of the host's memory a guest may occupy: plain data.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "vmm/base/result.h"
#include "vmm/model/gpa.h"

namespace carrel {

// The VM's own swap file: what doesn't fit its quota, compressed.
struct SwapConfig {
    std::string path;
    uint64_t size = 0;  // bytes at most; 0: as much as the guest's memory
    bool operator==(const SwapConfig&) const = default;
};

enum class OnMemoryLimit { kHold, kKill };  // when nothing more can be given back

// `bytes` and `on_limit` may change while the guest runs.
struct MemoryQuota {
    static constexpr uint64_t kLeast = 8 * kMiB;
    uint64_t bytes = 0;  // resident at most, a multiple of the page size
    std::optional<SwapConfig> swap;
    OnMemoryLimit on_limit = OnMemoryLimit::kHold;
    bool operator==(const MemoryQuota&) const = default;
};

Result<SwapConfig> parse_swap(const std::string& text);  // FILE[,size=SIZE]
Result<OnMemoryLimit> parse_on_memory_limit(const std::string& text);
// `memory`: the guest's RAM in bytes.
Result<void> check_memory_quota(const MemoryQuota& quota, uint64_t memory);

}  // namespace carrel
