#include "devices/backends/disk_io.h"

#include <fcntl.h>

#include "devices/backends/disk_ring.h"
#include "devices/backends/disk_threads.h"

namespace carrel {

int range_mode(DiskOperation::Kind kind) {
    const bool punch = kind == DiskOperation::Kind::kPunch;
    return (punch ? FALLOC_FL_PUNCH_HOLE : FALLOC_FL_ZERO_RANGE) | FALLOC_FL_KEEP_SIZE;
}

Result<std::unique_ptr<DiskIo>> make_disk_io(std::span<const int> files, unsigned entries,
                                             std::shared_ptr<ChargeSink> charge) {
    if (auto ring = DiskRing::create(files, entries); ring.ok())
        return std::unique_ptr<DiskIo>(std::move(*ring));
    TRY_ASSIGN(auto threads, DiskThreads::create(files, entries, std::move(charge)));
    return std::unique_ptr<DiskIo>(std::move(threads));
}

}  // namespace carrel
