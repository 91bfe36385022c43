// LoopRunner: a device on the thread of an EventLoop, which it shares with others.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "devices/virtio/device_runner.h"
#include "devices/virtio/virtio_device.h"
#include "vmm/base/event_loop.h"
#include "vmm/base/fd.h"

namespace carrel::virtio {

// Made and destroyed on the loop's thread, or while it doesn't run.
class LoopRunner final : public DeviceRunner {
  public:
    // Both outlive it.
    static Result<std::unique_ptr<LoopRunner>> create(EventLoop& loop, VirtioDevice& device);
    LoopRunner(EventLoop& loop, int device_event)
        : loop_(loop), device_event_(device_event) {}  // use create()
    ~LoopRunner() override;
    LoopRunner(const LoopRunner&) = delete;
    LoopRunner& operator=(const LoopRunner&) = delete;

    void ring(uint16_t queue) const override;
    int fd(uint16_t queue) const override { return fds_[queue].get(); }

  private:
    EventLoop& loop_;
    const int device_event_;
    std::vector<Fd> fds_;
};

}  // namespace carrel::virtio
