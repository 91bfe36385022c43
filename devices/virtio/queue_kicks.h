// QueueKicks: the eventfd of each queue, which is rung by KVM when the guest writes the doorbell (ioeventfd),
// or by us, and read by the device's thread.
#pragma once

#include <cstdint>
#include <vector>

#include "devices/virtio/virtio_device.h"
#include "vmm/base/event_loop.h"
#include "vmm/base/fd.h"

namespace carrel::virtio {

class QueueKicks {
  public:
    // `loop` is the device's thread; all outlive this. Made and destroyed on that thread, or while it doesn't
    // run.
    static Result<QueueKicks> create(EventLoop& loop, VirtioDevice& device);
    QueueKicks(QueueKicks&&) noexcept = default;
    QueueKicks& operator=(QueueKicks&&) = delete;
    ~QueueKicks();

    // Any thread. A queue that doesn't exist: nothing.
    void ring(uint16_t queue) const;
    int fd(uint16_t queue) const { return fds_[queue].get(); }

  private:
    explicit QueueKicks(EventLoop& loop) : loop_(&loop) {}
    EventLoop* loop_;
    std::vector<Fd> fds_;
};

}  // namespace carrel::virtio
