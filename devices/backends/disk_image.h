// DiskImage: a file or block device that a guest's disk lies in, opened, locked and measured.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "devices/backends/disk_geometry.h"
#include "devices/backends/disk_overlay.h"
#include "devices/backends/image_lock.h"
#include "vmm/base/fd.h"
#include "vmm/base/opener.h"
#include "vmm/base/result.h"
#include "vmm/model/disk_config.h"

namespace carrel {

// The descriptor stays open as long as the guest may use it; the lock goes with it.
struct DiskImage : DiskGeometry {
    Fd fd;
    std::string path;  // for messages
    bool read_only = false;
    bool write_through = false;  // each write is durable, whatever the driver says
    uint16_t queues = 1;
    // In tmpfs, which never waits for a device. Debian 12's kernel can't tell io_uring so: each request would
    // be handed to a thread of the kernel's, which costs more than the request. Plain calls, then.
    bool in_memory = false;
    // With O_DIRECT: what requests must be multiples of, and a second descriptor without it for those that
    // aren't. 0: they may be anything.
    uint32_t alignment = 0;
    Fd cached;
    std::unique_ptr<DiskOverlay> overlay;  // null: what is written goes into the image
    ImageLock lock;                        // goes before the descriptor

    // Raw, never guessed: a guest can write a header that looks like another format. One writer, or any
    // number of readers. Errors: `key` is what the user said it by.
    static Result<DiskImage> open(Opener& opener, const DiskConfig& config, const char* key);
};

}  // namespace carrel
