// What a disk and its driver say to each other. VIRTIO 1.3, sections 5.2.3, 5.2.4 and 5.2.6.
#pragma once

#include <cstdint>

#include "devices/virtio/features.h"

namespace carrel::virtio {

inline constexpr uint32_t kSectorSize = 512;  // of all sector numbers, 5.2.4

// 5.2.3
inline constexpr uint64_t kBlockSegMax = feature(2);
inline constexpr uint64_t kBlockReadOnly = feature(5);
inline constexpr uint64_t kBlockBlkSize = feature(6);
inline constexpr uint64_t kBlockFlush = feature(9);

// 5.2.4, as far as the features above have it.
struct BlockConfig {
    uint64_t capacity;  // in sectors
    uint32_t size_max;
    uint32_t seg_max;
    uint16_t cylinders;
    uint8_t heads;
    uint8_t sectors;
    uint32_t blk_size;
};
static_assert(sizeof(BlockConfig) == 24);

// 5.2.6
struct BlockHeader {
    uint32_t type;
    uint32_t reserved;
    uint64_t sector;
};
static_assert(sizeof(BlockHeader) == 16);
enum BlockType : uint32_t { kBlockIn = 0, kBlockOut = 1, kBlockFlushRequest = 4, kBlockGetId = 8 };
enum BlockStatus : uint8_t { kBlockOk = 0, kBlockIoError = 1, kBlockUnsupported = 2 };
inline constexpr uint32_t kBlockIdSize = 20;

}  // namespace carrel::virtio
