#include "devices/virtio/block/block_config.h"

#include <algorithm>
#include <bit>

namespace carrel::virtio {
namespace {

// Both are powers of two; log2 of how many blocks a physical one has.
uint8_t physical_exponent(const DiskImage& image) {
    if (image.physical_block <= image.block_size || !std::has_single_bit(image.physical_block)) return 0;
    return static_cast<uint8_t>(std::countr_zero(image.physical_block) - std::countr_zero(image.block_size));
}

}  // namespace

uint64_t block_features(const DiskImage& image) {
    uint64_t features = kBlockSegMax | kBlockBlkSize | kBlockTopology;
    // Without these a driver knows that what it has written is durable (5.2.5), and has nothing to switch.
    if (!image.write_through) features |= kBlockFlush | kBlockConfigWce;
    if (image.queues > 1) features |= kBlockQueues;
    if (image.read_only) return features | kBlockReadOnly;
    if (image.punches) features |= kBlockDiscard;
    if (image.zeroes) features |= kBlockWriteZeroes;
    return features;
}

BlockConfig block_config(const DiskImage& image, uint64_t bytes, uint32_t segments, bool write_back) {
    BlockConfig config{};
    config.capacity = bytes / kSectorSize;
    config.seg_max = segments;
    config.blk_size = image.block_size;
    config.physical_block_exp = physical_exponent(image);
    config.alignment_offset = static_cast<uint8_t>(image.alignment_offset / image.block_size);
    config.min_io_size = static_cast<uint16_t>(std::min(image.least_io / image.block_size, 0xffffu));
    config.opt_io_size = image.best_io / image.block_size;
    config.writeback = write_back && !image.write_through ? 1 : 0;
    config.num_queues = image.queues;
    if (image.read_only) return config;
    if (image.punches) {
        config.max_discard_sectors = kMostDiscardSectors;
        config.max_discard_seg = kMostBlockSegments;
        config.discard_sector_alignment = std::max(image.physical_block, image.block_size) / kSectorSize;
    }
    if (image.zeroes) {
        config.max_write_zeroes_sectors = kMostZeroSectors;
        config.max_write_zeroes_seg = kMostBlockSegments;
        config.write_zeroes_may_unmap = image.punches ? 1 : 0;
    }
    return config;
}

}  // namespace carrel::virtio
