// What a person may say about one disk: plain data, and how it is written. Nothing here opens a file.
#pragma once

#include <algorithm>
#include <cstdint>
#include <string>

#include "vmm/base/result.h"
#include "vmm/model/rate_config.h"

namespace carrel {

// A raw image.
struct DiskConfig {
    enum class Cache {
        kWriteBack,     // the host's page cache; a flush makes durable
        kNone,          // the same, but past the page cache (O_DIRECT)
        kWriteThrough,  // each write is durable when it ends
    };
    std::string path;
    bool read_only = false;
    std::string id;  // what the guest reads as its serial number; empty: the file's name
    Cache cache = Cache::kWriteBack;
    uint16_t queues = 0;  // 0: as queues_for() has it
    bool overlay = false;
    std::string overlay_path;  // empty: gone afterwards
    RateConfig rate;
    bool operator==(const DiskConfig&) const = default;

    static constexpr uint16_t kMostQueues = 16;
    // One for each vCPU, which needn't interrupt another then (31 µs a request of four vCPUs, not 51), where
    // that isn't many: each costs 65 KiB.
    static constexpr uint16_t kMostUnasked = 4;
    uint16_t queues_for(uint32_t cpus) const {
        return queues != 0 ? queues : static_cast<uint16_t>(std::min<uint32_t>(cpus, kMostUnasked));
    }
};

// Checked by itself; the error names the key as `carrel run` spells it.
Result<DiskConfig> parse_disk(const std::string& text);

}  // namespace carrel
