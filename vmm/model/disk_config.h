// What a person may say about one disk: plain data, and how it is written. Nothing here opens a file.
#pragma once

#include <cstdint>
#include <string>

#include "vmm/base/result.h"

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
    uint16_t queues = 1;
    bool overlay = false;
    std::string overlay_path;  // empty: gone afterwards
    bool operator==(const DiskConfig&) const = default;

    static constexpr uint16_t kMostQueues = 16;
};

// Checked by itself; the error names the key as `carrel run` spells it.
Result<DiskConfig> parse_disk(const std::string& text);

}  // namespace carrel
