// How much RAM the guest has, and how much of the host's memory it may occupy.
#pragma once

#include <array>

#include "vmm/config/machine_keys.h"
#include "vmm/model/config_text.h"

namespace carrel::config {

inline constexpr std::array kBalloonWords = {
    Word{"size", Word::Role::kFirst, KeyType::kSize, "SIZE", "what the guest is asked to do without", kLive},
    Word{"statistics", Word::Role::kOption, KeyType::kTime, "TIME",
         "between two questions for its memory statistics (default: only as it starts)"},
};
inline constexpr std::array kSwapWords = {
    Word{"file", Word::Role::kFirst, KeyType::kFile, "FILE", "where what is beyond the quota goes"},
    Word{"size", Word::Role::kOption, KeyType::kSize, "SIZE", "at most (default: the guest's memory)"},
};

inline Error no_quota(const char* what) {
    return usage_error(what, "write --memory-quota, too");
}

// memory-quota comes before what belongs to it: keys are read in this order.
inline constexpr std::array kMemoryKeys = {
    MachineKey{{"memory", KeyType::kSize, "SIZE", "RAM, with K, M or G", "512M, the embedded guest 64M"},
               [](MachineConfig& config, const std::string& text) -> Result<void> {
                   TRY_ASSIGN(config.memory, parse_size(text, "--memory"));
                   return check_memory(config.memory);
               },
               [](const MachineConfig& config) {
                   return config.memory != 0 ? said(size_text(config.memory)) : Texts{};
               }},
    MachineKey{{"hugepages", KeyType::kFlag, "", "RAM from the host's pool of huge pages", "off"},
               [](MachineConfig& config, const std::string& text) -> Result<void> {
                   TRY_ASSIGN(const bool huge, parse_flag(text, "--hugepages"));
                   config.backing = huge ? MemoryBacking::kHugetlb : MemoryBacking::kAnonymous;
                   return {};
               },
               [](const MachineConfig& config) { return said(config.backing == MemoryBacking::kHugetlb); }},
    MachineKey{{"memory-quota", KeyType::kSize, "SIZE", "host memory that its RAM may occupy",
                "all of its RAM", kLive},
               [](MachineConfig& config, const std::string& text) -> Result<void> {
                   TRY_ASSIGN(const uint64_t bytes, parse_size(text, "--memory-quota"));
                   if (!config.memory_quota) config.memory_quota.emplace();
                   config.memory_quota->bytes = bytes;
                   return {};
               },
               [](const MachineConfig& config) {
                   return config.memory_quota ? said(size_text(config.memory_quota->bytes)) : Texts{};
               }},
    MachineKey{{"swap", KeyType::kWords, "FILE[,size=SIZE]", "where what is beyond the quota goes",
                "none; the guest's memory", kFixed, false, kSwapWords},
               [](MachineConfig& config, const std::string& text) -> Result<void> {
                   if (!config.memory_quota) return no_quota("--swap: there is no quota");
                   TRY_ASSIGN(config.memory_quota->swap, parse_swap(text));
                   return {};
               },
               [](const MachineConfig& config) {
                   const bool swaps = config.memory_quota && config.memory_quota->swap;
                   return swaps ? said(to_text(*config.memory_quota->swap)) : Texts{};
               }},
    MachineKey{{"on-memory-limit", KeyType::kChoice, "hold|kill",
                "hold or kill: what happens when nothing more can be given back", "hold", kLive},
               [](MachineConfig& config, const std::string& text) -> Result<void> {
                   if (!config.memory_quota) return no_quota("--on-memory-limit: there is no limit");
                   TRY_ASSIGN(config.memory_quota->on_limit, parse_on_memory_limit(text));
                   return {};
               },
               [](const MachineConfig& config) {
                   const bool kills =
                       config.memory_quota && config.memory_quota->on_limit == OnMemoryLimit::kKill;
                   return kills ? said(std::string(to_text(OnMemoryLimit::kKill))) : Texts{};
               }},
    MachineKey{{"balloon", KeyType::kWords, "[SIZE[,statistics=TIME]]",
                "a virtio-balloon: memory that the guest frees goes back to the host; "
                "=SIZE[,statistics=TIME]: it asks the guest for so much, and how its memory is used",
                "none; 0, only as it starts", kFixed, false, kBalloonWords, "0"},
               [](MachineConfig& config, const std::string& text) -> Result<void> {
                   TRY_ASSIGN(config.balloon, parse_balloon(text));
                   return {};
               },
               [](const MachineConfig& config) {
                   return config.balloon ? said(to_text(*config.balloon)) : Texts{};
               }},
};

}  // namespace carrel::config
