// What a balloon's driver and device say to each other. VIRTIO 1.3, section 5.5.
#pragma once

#include <array>
#include <cstdint>

#include "devices/virtio/features.h"

namespace carrel::virtio {

// 5.5.3. (MUST_TELL_HOST isn't offered: a page may be used again without a word.)
inline constexpr uint64_t kBalloonStatsVq = feature(1);
inline constexpr uint64_t kBalloonDeflateOnOom = feature(2);
inline constexpr uint64_t kBalloonFreePageHint = feature(3);
inline constexpr uint64_t kBalloonPagePoison = feature(4);
inline constexpr uint64_t kBalloonPageReporting = feature(5);

// 5.5.6: pages are of this size whatever the guest's are.
inline constexpr uint64_t kBalloonPageSize = 4096;

// 5.5.4
struct BalloonConfig {
    uint32_t num_pages;              // r-: what the device wants the driver to give up
    uint32_t actual;                 // rw: what it has given up
    uint32_t free_page_hint_cmd_id;  // r-
    uint32_t poison_val;             // rw: what the driver fills its free pages with
};

// 5.5.6.6.1: what a hinting command may be, besides its number.
inline constexpr uint32_t kHintStop = 0, kHintDone = 1, kFirstHint = 2;

// 5.5.6.3: one of the statistics, packed.
struct [[gnu::packed]] BalloonStatistic {
    uint16_t tag;
    uint64_t value;
};
static_assert(sizeof(BalloonStatistic) == 10);

// 5.5.6.4: swap in and out, faults, free and total memory, …
inline constexpr size_t kBalloonTags = 16;
inline constexpr uint64_t kNotTold = ~uint64_t{0};
using BalloonStatistics = std::array<uint64_t, kBalloonTags>;

}  // namespace carrel::virtio
