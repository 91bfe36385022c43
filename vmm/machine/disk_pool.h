// DiskPool: the threads that serve the disks of a process, however many disks its guests have.
//
//      the first disks ──► a thread each, which costs a lone request least (thread_runner.h)
//      all further ones ─► event loops, each with as few of them as the others (loop_runner.h)
//
// Disks may share a thread because none waits there: the kernel does the work (io_uring), or threads of the
// disk's own.
#pragma once

#include <memory>
#include <string_view>
#include <vector>

#include "devices/virtio/device_runner.h"
#include "devices/virtio/virtio_device.h"
#include "vmm/base/event_loop.h"
#include "vmm/base/mutex.h"

namespace carrel {

// Any thread but its own. Outlives its runners.
class DiskPool {
  public:
    static constexpr unsigned kOwn = 4;     // threads of one disk
    static constexpr unsigned kShared = 4;  // loops

    DiskPool();
    ~DiskPool();
    DiskPool(const DiskPool&) = delete;
    DiskPool& operator=(const DiskPool&) = delete;

    // `device` outlives the runner. Its thread's name is `name`, where it gets one. The CPU time that it
    // takes is charged to `charge`.
    Result<std::unique_ptr<virtio::DeviceRunner>> runner_for(std::string_view name,
                                                             virtio::VirtioDevice& device,
                                                             const EventLoop::Charge& charge)
        EXCLUDES(mutex_);

  private:
    class OwnThread;
    class OnLoop;
    struct Loop;

    bool take_own() EXCLUDES(mutex_);
    void give_own() EXCLUDES(mutex_);
    unsigned free_number() const REQUIRES(mutex_);
    Result<Loop*> take_loop() EXCLUDES(mutex_);
    void give_loop(Loop& loop) EXCLUDES(mutex_);

    Mutex mutex_;
    unsigned own_ GUARDED_BY(mutex_) = 0;
    std::vector<std::unique_ptr<Loop>> loops_ GUARDED_BY(mutex_);  // each has disks
};

}  // namespace carrel
