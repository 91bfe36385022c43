// BlockRequest: one chain read as a request to a disk. VIRTIO 1.3, section 5.2.6.
//
//   readable                                   writable
//   ┌────────────┬──────────────────────────┐  ┌──────────────────────────┬────────┐
//   │ header, 16 │ data, in a write         │  │ data, in a read          │ status │
//   └────────────┴──────────────────────────┘  └──────────────────────────┴────────┘
//                  or segments, in a discard
//
// However a driver cuts that into descriptors (2.7.4.2: it may, as it likes).
#pragma once

#include <sys/uio.h>

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "devices/backends/disk_requests.h"
#include "devices/virtio/block/block_format.h"
#include "devices/virtio/queue/descriptor_chain.h"

namespace carrel::virtio {

struct BlockRequest {
    BlockHeader header{};
    std::span<std::byte> status;  // one byte
    uint32_t data_bytes = 0;      // of the side that the type uses
    std::span<const iovec> data;  // the chain's own pieces, or `cut`
    std::vector<iovec> cut;       // where header or status share a descriptor with data

    std::vector<DiskRange> ranges;  // of a discard or write zeroes, once they are checked
    bool unmap = false;             // all of them may be given up

    // The segments of such a request; none where there is none, a part of one, or more than `most`.
    std::vector<BlockSegment> segments(const DescriptorChain& chain, size_t most) const;
    // False where there is no room for a header or a status: nobody could be told.
    bool read(const DescriptorChain& chain);
};

}  // namespace carrel::virtio
