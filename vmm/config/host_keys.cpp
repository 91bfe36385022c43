#include "vmm/config/host_keys.h"

#include <array>

#include "vmm/model/config_text.h"

namespace carrel::config {
namespace {

Result<void> set_rate(RateConfig& rate, const char* word, const std::string& text, const char* key) {
    TRY(parse_rate(word + text, key, rate));
    return {};
}

Texts size_or_none(uint64_t bytes) {
    return bytes != 0 ? said(size_text(bytes)) : Texts{};
}

Texts number_or_none(uint64_t number) {
    return number != 0 ? said(std::to_string(number)) : Texts{};
}

constexpr std::array kHostKeys = {
    HostKey{{"cpus", KeyType::kCpus, "LIST", "host CPUs for all guests together, such as 0-3,6",
             "all that the process may use"},
            [](HostConfig& host, const std::string& text) -> Result<void> {
                TRY_ASSIGN(host.cpus, parse_cpu_list(text, "--cpus"));
                return {};
            },
            [](const HostConfig& host) { return said(cpu_list_text(host.cpus)); }},
    HostKey{
        {"memory", KeyType::kSize, "SIZE", "host memory for all guests together", "all that the host has"},
        [](HostConfig& host, const std::string& text) -> Result<void> {
            TRY_ASSIGN(host.memory, parse_size(text, "--memory"));
            return {};
        },
        [](const HostConfig& host) { return size_or_none(host.memory); }},
    HostKey{{"cpu-overcommit", KeyType::kShare, "SHARE",
             "how much of its CPUs may be promised to guests, 100% to 10000%", "100%"},
            [](HostConfig& host, const std::string& text) -> Result<void> {
                TRY_ASSIGN(host.cpu_overcommit, parse_cpu_share(text, "--cpu-overcommit"));
                return {};
            },
            [](const HostConfig& host) { return said(cpu_share_text(host.cpu_overcommit)); }},
    HostKey{{"memory-overcommit", KeyType::kShare, "SHARE",
             "how much of its memory may be promised to guests, 100% to 10000%", "100%"},
            [](HostConfig& host, const std::string& text) -> Result<void> {
                TRY_ASSIGN(host.memory_overcommit, parse_cpu_share(text, "--memory-overcommit"));
                return {};
            },
            [](const HostConfig& host) { return said(cpu_share_text(host.memory_overcommit)); }},
    HostKey{{"disk-bps", KeyType::kSize, "SIZE",
             "bytes a second for all guests' disks together; each disk needs bps= then", "unlimited"},
            [](HostConfig& host, const std::string& text) {
                return set_rate(host.disk, "bps=", text, "--disk-bps");
            },
            [](const HostConfig& host) { return size_or_none(host.disk.bytes); }},
    HostKey{{"disk-ops", KeyType::kNumber, "N",
             "operations a second for all guests' disks together; each disk needs ops= then", "unlimited"},
            [](HostConfig& host, const std::string& text) {
                return set_rate(host.disk, "ops=", text, "--disk-ops");
            },
            [](const HostConfig& host) { return number_or_none(host.disk.operations); }},
    HostKey{{"net-bps", KeyType::kSize, "SIZE",
             "bytes a second, in each direction, for all guests' networks together; each needs bps= then",
             "unlimited"},
            [](HostConfig& host, const std::string& text) {
                return set_rate(host.net, "bps=", text, "--net-bps");
            },
            [](const HostConfig& host) { return size_or_none(host.net.bytes); }},
    HostKey{{"net-ops", KeyType::kNumber, "N",
             "frames a second, in each direction, for all guests' networks together; each needs ops= then",
             "unlimited"},
            [](HostConfig& host, const std::string& text) {
                return set_rate(host.net, "ops=", text, "--net-ops");
            },
            [](const HostConfig& host) { return number_or_none(host.net.operations); }},
    HostKey{{"policy", KeyType::kChoice, "weighted-fair|round-robin|priority|fcfs|sjf",
             "how guests share the CPUs", "weighted-fair", kLive},
            [](HostConfig& host, const std::string& text) -> Result<void> {
                TRY_ASSIGN(host.policy, parse_policy(text));
                return {};
            },
            [](const HostConfig& host) { return said(std::string(policy_name(host.policy))); }},
    HostKey{{"placement", KeyType::kChoice, "none|spread|pack",
             "which host CPUs a guest runs on; none: the host's kernel decides", "none"},
            [](HostConfig& host, const std::string& text) -> Result<void> {
                TRY_ASSIGN(host.placement, parse_placement(text));
                return {};
            },
            [](const HostConfig& host) { return said(std::string(to_text(host.placement))); }},
};

}  // namespace

std::span<const HostKey> host_keys() {
    return kHostKeys;
}

}  // namespace carrel::config
