// What a person may say about the balloon: plain data, and how it is written.
#pragma once

#include <cstdint>
#include <string>

#include "vmm/base/clock.h"
#include "vmm/base/result.h"

namespace carrel {

struct BalloonOptions {
    uint64_t size = 0;           // bytes that the guest is asked to do without
    Nanoseconds statistics = 0;  // between two questions for its memory statistics; 0: only as it starts
    bool operator==(const BalloonOptions&) const = default;
};

// Checked by itself; the error names the key as `carrel run` spells it.
Result<BalloonOptions> parse_balloon(const std::string& text);  // SIZE[,statistics=TIME]
// Of a guest with so much memory.
Result<void> check_balloon(const BalloonOptions& balloon, uint64_t memory);

}  // namespace carrel
