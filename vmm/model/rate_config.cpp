#include "vmm/model/rate_config.h"

#include "vmm/model/device_config.h"
#include "vmm/model/machine_config.h"

namespace carrel {
namespace {

Error refused(const char* key, const std::string& word, const char* why, const char* advice) {
    return usage_error(std::string(key) + ": " + word + " " + why, advice);
}

}  // namespace

Result<bool> parse_rate(const std::string& word, const char* key, RateConfig& rate) {
    if (const auto bytes = value_of(word, "bps")) {
        const auto size = parse_size(*bytes, key);
        if (!size.ok() || *size == 0 || *size > RateConfig::kMost)
            return refused(key, word, "is not a size above zero", "write bytes a second, such as 100M");
        rate.bytes = *size;
    } else if (const auto operations = value_of(word, "ops")) {
        const auto number = whole_number(*operations);
        if (!number || *number == 0)
            return refused(key, word, "is not a number above zero", "write operations a second, such as 500");
        rate.operations = *number;
    } else if (const auto burst = value_of(word, "burst")) {
        const auto time = parse_duration(*burst, key);
        if (!time.ok() || *time < RateConfig::kShortestBurst || *time > RateConfig::kLongestBurst)
            return refused(key, word, "is not a time between 5ms and 60s", "leave it out for 10ms");
        rate.burst = *time;
    } else {
        return false;
    }
    return true;
}

Result<void> check_rate(const RateConfig& rate, const char* key) {
    if (rate.limits() || !rate.burst) return {};
    return usage_error(std::string(key) + ": burst= belongs to a limit, and there is none",
                       "write bps= or ops=, too");
}

}  // namespace carrel
