#include "vmm/model/cpu_quota.h"

#include <fmt/core.h>

#include <charconv>
#include <string_view>

namespace carrel {
namespace {

constexpr CpuShare kPercent = kWholeCpu / 100;

// "12.5" as 125,000: at most four digits after the point, which are millionths of a CPU.
std::optional<CpuShare> parse_percent(std::string_view text) {
    constexpr size_t kDigits = 4;
    const size_t point = text.find('.');
    const std::string_view whole = text.substr(0, point);
    const std::string_view part = point == text.npos ? std::string_view() : text.substr(point + 1);
    if (whole.empty() || whole.size() > 6 || part.size() > kDigits || (point != text.npos && part.empty()))
        return std::nullopt;
    std::string digits(whole);
    digits += part;
    digits.append(kDigits - part.size(), '0');
    CpuShare share = 0;
    if (digits.find_first_not_of("0123456789") != digits.npos) return std::nullopt;
    std::from_chars(digits.data(), digits.data() + digits.size(), share);
    return share;
}

std::string range_text(Nanoseconds least, Nanoseconds most) {
    return fmt::format("between {} ms and {} ms", least / kMillisecond, most / kMillisecond);
}

}  // namespace

Result<CpuShare> parse_cpu_share(const std::string& text, const char* key) {
    std::optional<CpuShare> share;
    if (!text.empty() && text.back() == '%')
        share = parse_percent(std::string_view(text).substr(0, text.size() - 1));
    if (share) return *share;
    return usage_error(fmt::format("{}: '{}' is not a share of a CPU", key, text),
                       "write percent of one host CPU, such as 25% or 150%");
}

std::string cpu_share_text(CpuShare share) {
    std::string text = fmt::format("{}.{:04}", share / kPercent, share % kPercent);
    text.erase(text.find_last_not_of('0') + 1);
    if (text.back() == '.') text.pop_back();
    return text + "%";
}

Result<void> check_cpu_quota(const CpuQuota& quota) {
    if (quota.cap && (*quota.cap < CpuQuota::kLeastCap || *quota.cap > CpuQuota::kMostCap))
        return usage_error("--cpu-cap: " + cpu_share_text(*quota.cap) + " is not between 0.1% and 102400%",
                           "leave it out for no limit");
    if (quota.weight == 0 || quota.weight > CpuQuota::kMostWeight)
        return usage_error(
            fmt::format("--cpu-weight: {} is not between 1 and {}", quota.weight, CpuQuota::kMostWeight),
            "leave it out for 100");
    if (quota.period < CpuQuota::kShortestPeriod || quota.period > CpuQuota::kLongestPeriod)
        return usage_error(
            "--cpu-period: it is not " + range_text(CpuQuota::kShortestPeriod, CpuQuota::kLongestPeriod),
            "leave it out for 10ms");
    if (quota.reserve < 0 || quota.reserve > quota.cap.value_or(CpuQuota::kMostCap))
        return usage_error(
            "--cpu-reserve: " + cpu_share_text(quota.reserve) + " is more than the guest's cap",
            "reserve at most what --cpu-cap allows");
    if (quota.burst != 0 && !quota.cap)
        return usage_error("--cpu-burst: it belongs to a cap, and there is none", "write --cpu-cap, too");
    if (quota.burst < 0 || quota.burst > CpuQuota::kLongestPeriod)
        return usage_error("--cpu-burst: it is more than 1000 ms", "leave it out for none");
    return {};
}

}  // namespace carrel
