// ThreadRunner: a device on a thread of its own, for what costs as little as can be: all of the device's
// queues and its own events ring one eventfd, and the thread waits in a read of it. An EventLoop's wait and
// look-ups would cost each request that comes alone another 1.2 µs.
#pragma once

#include <atomic>
#include <memory>
#include <string_view>

#include "devices/virtio/device_runner.h"
#include "devices/virtio/virtio_device.h"
#include "vmm/base/charge_sink.h"
#include "vmm/base/mutex.h"
#include "vmm/base/thread.h"

namespace carrel::virtio {

class ThreadRunner final : public DeviceRunner {
  public:
    // The thread's name is `name`. `device` outlives it and has an event_fd(), whose reads wait. Its CPU time
    // is charged to `charge`, and it waits while that is held; null: to nobody.
    static Result<std::unique_ptr<ThreadRunner>> start(std::string_view name, VirtioDevice& device,
                                                       std::shared_ptr<ChargeSink> charge = nullptr);
    ThreadRunner(VirtioDevice& device, std::shared_ptr<ChargeSink> charge)
        : device_(device), charge_(std::move(charge)) {}  // use start()
    ~ThreadRunner() override;
    ThreadRunner(const ThreadRunner&) = delete;
    ThreadRunner& operator=(const ThreadRunner&) = delete;

    void ring(uint16_t queue) const override;
    int fd(uint16_t) const override { return device_.event_fd(); }

  private:
    void run();
    void settle_charge() EXCLUDES(mutex_);

    VirtioDevice& device_;
    const std::shared_ptr<ChargeSink> charge_;
    Nanoseconds charged_ = 0;  // of its CPU time
    std::atomic<bool> stopping_{false};
    Mutex mutex_;
    Condition stopped_;
    Thread thread_;
};

}  // namespace carrel::virtio
