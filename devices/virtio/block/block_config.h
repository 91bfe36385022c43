// What a disk tells of itself, from what the host says of the image. VIRTIO 1.3, sections 5.2.3 to 5.2.5.
#pragma once

#include "devices/backends/disk_image.h"
#include "devices/virtio/block/block_format.h"

namespace carrel::virtio {

// Bounds of one discard or write zeroes, so that none of them lasts long.
inline constexpr uint32_t kMostDiscardSectors = 1u << 21;  // 1 GiB
inline constexpr uint32_t kMostZeroSectors = 1u << 17;     // 64 MiB
inline constexpr uint32_t kMostBlockSegments = 64;

uint64_t block_features(const DiskImage& image);
BlockConfig block_config(const DiskImage& image, uint64_t bytes, uint32_t segments, bool write_back);

}  // namespace carrel::virtio
