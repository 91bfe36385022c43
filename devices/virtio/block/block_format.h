// What a disk and its driver say to each other. VIRTIO 1.3, sections 5.2.3, 5.2.4 and 5.2.6.
#pragma once

#include <cstddef>
#include <cstdint>

#include "devices/virtio/features.h"

namespace carrel::virtio {

inline constexpr uint32_t kSectorSize = 512;  // of all sector numbers, 5.2.4

// 5.2.3
inline constexpr uint64_t kBlockSegMax = feature(2);
inline constexpr uint64_t kBlockReadOnly = feature(5);
inline constexpr uint64_t kBlockBlkSize = feature(6);
inline constexpr uint64_t kBlockFlush = feature(9);
inline constexpr uint64_t kBlockTopology = feature(10);
inline constexpr uint64_t kBlockConfigWce = feature(11);
inline constexpr uint64_t kBlockQueues = feature(12);
inline constexpr uint64_t kBlockDiscard = feature(13);
inline constexpr uint64_t kBlockWriteZeroes = feature(14);

// 5.2.4, as far as the features above have it. Sizes in sectors, if nothing else is said.
struct BlockConfig {
    uint64_t capacity;
    uint32_t size_max;  // bytes
    uint32_t seg_max;
    uint16_t cylinders;
    uint8_t heads;
    uint8_t sectors;
    uint32_t blk_size;           // bytes
    uint8_t physical_block_exp;  // 2^this blocks of blk_size to a physical one
    uint8_t alignment_offset;    // of the first physical block, in blocks
    uint16_t min_io_size;        // in blocks
    uint32_t opt_io_size;        // in blocks
    uint8_t writeback;           // 5.2.5.2: the only field that a driver may write
    uint8_t unused0;
    uint16_t num_queues;
    uint32_t max_discard_sectors;
    uint32_t max_discard_seg;
    uint32_t discard_sector_alignment;
    uint32_t max_write_zeroes_sectors;
    uint32_t max_write_zeroes_seg;
    uint8_t write_zeroes_may_unmap;
    uint8_t unused1[3];
};
static_assert(sizeof(BlockConfig) == 60 + 4);  // padding behind it
static_assert(offsetof(BlockConfig, writeback) == 32 && offsetof(BlockConfig, write_zeroes_may_unmap) == 56);
inline constexpr size_t kBlockConfigBytes = 60;

// 5.2.6
struct BlockHeader {
    uint32_t type;
    uint32_t reserved;
    uint64_t sector;
};
static_assert(sizeof(BlockHeader) == 16);
enum BlockType : uint32_t {
    kBlockIn = 0,
    kBlockOut = 1,
    kBlockFlushRequest = 4,
    kBlockGetId = 8,
    kBlockDiscardRequest = 11,
    kBlockWriteZeroesRequest = 13,
};
enum BlockStatus : uint8_t { kBlockOk = 0, kBlockIoError = 1, kBlockUnsupported = 2 };
inline constexpr uint32_t kBlockIdSize = 20;

// 5.2.6: what a discard and a write zeroes carry, one behind the other.
struct BlockSegment {
    uint64_t sector;
    uint32_t num_sectors;
    uint32_t flags;
};
static_assert(sizeof(BlockSegment) == 16);
inline constexpr uint32_t kBlockUnmap = 1;  // the only flag; for write zeroes

}  // namespace carrel::virtio
