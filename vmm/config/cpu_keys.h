// How many CPUs the guest has, and how much of the host's it gets.
#pragma once

#include <array>

#include "vmm/config/machine_keys.h"
#include "vmm/model/config_text.h"

namespace carrel::config {

inline constexpr std::array kCpuKeys = {
    MachineKey{{"cpus", KeyType::kNumber, "N", "vCPUs", "1"},
               [](MachineConfig& config, const std::string& text) -> Result<void> {
                   TRY_ASSIGN(config.cpus, parse_cpus(text));
                   return {};
               },
               [](const MachineConfig& config) { return said(std::to_string(config.cpus)); }},
    MachineKey{
        {"cpu", KeyType::kChoice, "host|baseline", "host: all this host offers; baseline: x86-64-v2", "host"},
        [](MachineConfig& config, const std::string& text) -> Result<void> {
            TRY_ASSIGN(config.cpu_model, parse_cpu_model(text));
            return {};
        },
        [](const MachineConfig& config) { return said(std::string(to_text(config.cpu_model))); }},
    MachineKey{{"cpu-cap", KeyType::kShare, "SHARE", "at most so much of one host CPU, such as 25% or 150%",
                "no limit", kLive},
               [](MachineConfig& config, const std::string& text) -> Result<void> {
                   TRY_ASSIGN(config.cpu_quota.cap, parse_cpu_share(text, "--cpu-cap"));
                   return {};
               },
               [](const MachineConfig& config) {
                   return config.cpu_quota.cap ? said(cpu_share_text(*config.cpu_quota.cap)) : Texts{};
               }},
    MachineKey{{"cpu-weight", KeyType::kNumber, "N", "its part of what guests contend for, 1 to 10000", "100",
                kLive},
               [](MachineConfig& config, const std::string& text) -> Result<void> {
                   TRY_ASSIGN(config.cpu_quota.weight, parse_number(text, "--cpu-weight"));
                   return {};
               },
               [](const MachineConfig& config) { return said(std::to_string(config.cpu_quota.weight)); }},
    MachineKey{{"cpu-reserve", KeyType::kShare, "SHARE", "at least so much of one host CPU", "none", kLive},
               [](MachineConfig& config, const std::string& text) -> Result<void> {
                   TRY_ASSIGN(config.cpu_quota.reserve, parse_cpu_share(text, "--cpu-reserve"));
                   return {};
               },
               [](const MachineConfig& config) {
                   return config.cpu_quota.reserve != 0 ? said(cpu_share_text(config.cpu_quota.reserve))
                                                        : Texts{};
               }},
    MachineKey{{"cpu-burst", KeyType::kTime, "TIME", "unused CPU time that it may save up under a cap",
                "none", kLive},
               [](MachineConfig& config, const std::string& text) -> Result<void> {
                   TRY_ASSIGN(config.cpu_quota.burst, parse_duration(text, "--cpu-burst"));
                   return {};
               },
               [](const MachineConfig& config) {
                   return config.cpu_quota.burst != 0 ? said(time_text(config.cpu_quota.burst)) : Texts{};
               }},
    MachineKey{{"cpu-period", KeyType::kTime, "TIME", "the cap holds over each such time", "10ms", kLive},
               [](MachineConfig& config, const std::string& text) -> Result<void> {
                   TRY_ASSIGN(config.cpu_quota.period, parse_duration(text, "--cpu-period"));
                   return {};
               },
               [](const MachineConfig& config) { return said(time_text(config.cpu_quota.period)); }},
    MachineKey{{"cpu-priority", KeyType::kNumber, "N", "under the policy priority: the smaller goes first",
                "100", kLive},
               [](MachineConfig& config, const std::string& text) -> Result<void> {
                   TRY_ASSIGN(config.cpu_quota.priority, parse_number(text, "--cpu-priority"));
                   return {};
               },
               [](const MachineConfig& config) { return said(std::to_string(config.cpu_quota.priority)); }},
    MachineKey{{"cpu-expected-burst", KeyType::kTime, "TIME",
                "under the policy sjf: how long it probably runs until it waits, before it has shown it",
                "unknown", kLive},
               [](MachineConfig& config, const std::string& text) -> Result<void> {
                   TRY_ASSIGN(config.cpu_quota.expected_burst, parse_duration(text, "--cpu-expected-burst"));
                   return {};
               },
               [](const MachineConfig& config) {
                   return config.cpu_quota.expected_burst ? said(time_text(*config.cpu_quota.expected_burst))
                                                          : Texts{};
               }},
    MachineKey{{"cpus-allowed", KeyType::kCpus, "LIST", "host CPUs that it may use, such as 0-3,6", "all"},
               [](MachineConfig& config, const std::string& text) -> Result<void> {
                   TRY_ASSIGN(config.cpus_allowed, parse_cpu_list(text, "--cpus-allowed"));
                   return {};
               },
               [](const MachineConfig& config) { return said(cpu_list_text(config.cpus_allowed)); }},
};

}  // namespace carrel::config
