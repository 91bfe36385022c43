#include "vmm/model/memory_quota.h"

#include <vector>

#include "vmm/model/device_config.h"
#include "vmm/model/machine_config.h"

namespace carrel {

Result<SwapConfig> parse_swap(const std::string& text) {
    constexpr const char* kForm = "write FILE[,size=SIZE]; a comma in the path twice";
    const std::vector<std::string> words = split_words(text);
    SwapConfig swap;
    swap.path = words.front();
    if (swap.path.empty()) return usage_error("--swap: '" + text + "' names no file", kForm);
    for (size_t i = 1; i < words.size(); ++i) {
        const auto size = value_of(words[i], "size");
        if (!size) return usage_error("--swap: '" + words[i] + "' is not size=SIZE", kForm);
        TRY_ASSIGN(swap.size, parse_size(*size, "--swap: size"));
        if (swap.size < kMiB)
            return usage_error("--swap: size=" + *size + " is less than 1M",
                               "leave it out for the guest's memory");
    }
    return swap;
}

Result<OnMemoryLimit> parse_on_memory_limit(const std::string& text) {
    if (text == "hold") return OnMemoryLimit::kHold;
    if (text == "kill") return OnMemoryLimit::kKill;
    return usage_error("--on-memory-limit: '" + text + "' is neither hold nor kill", "write one of them");
}

Result<void> check_memory_quota(const MemoryQuota& quota, uint64_t memory) {
    if (quota.bytes < MemoryQuota::kLeast)
        return usage_error("--memory-quota: it is less than 8M",
                           "give the guest at least that much to stand on");
    if (quota.bytes % 4096 != 0)
        return usage_error("--memory-quota: it is no multiple of 4K", "write a size in K, M or G");
    if (memory % kHugePageSize != 0)
        return usage_error("--memory-quota: the guest's memory is no multiple of 2M", "round --memory to it");
    if (quota.bytes > memory)
        return usage_error("--memory-quota: it is more than the guest's memory",
                           "leave it out for no quota, or raise --memory");
    return {};
}

}  // namespace carrel
