#include "devices/virtio/loop_runner.h"

#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <cerrno>

namespace carrel::virtio {
namespace {
// By its edges, of which each ring is one: nobody has to read the count.
constexpr uint32_t kRings = EPOLLIN | EPOLLET;
}  // namespace

Result<std::unique_ptr<LoopRunner>> LoopRunner::create(EventLoop& loop, VirtioDevice& device) {
    auto runner = std::make_unique<LoopRunner>(loop, device.event_fd());
    if (const int event = device.event_fd(); event >= 0) {
        TRY(loop.watch(event, EPOLLIN, [event, &device](uint32_t) {
            uint64_t count = 0;
            (void)!::read(event, &count, sizeof count);
            device.wake();
        }));
    }
    for (uint16_t queue = 0; queue < device.queue_sizes().size(); ++queue) {
        Fd fd(::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC));
        if (fd.get() < 0) return os_error(errno, "cannot make an eventfd");
        TRY(loop.watch(fd.get(), kRings, [queue, &device](uint32_t) { device.notify(queue); }));
        runner->fds_.push_back(std::move(fd));
    }
    return runner;
}

LoopRunner::~LoopRunner() {
    if (device_event_ >= 0) loop_.unwatch(device_event_);
    for (const Fd& fd : fds_) loop_.unwatch(fd.get());
}

// It can't be full: that takes 2^64 rings without a read.
void LoopRunner::ring(uint16_t queue) const {
    const uint64_t one = 1;
    if (queue < fds_.size()) (void)!::write(fds_[queue].get(), &one, sizeof one);
}

}  // namespace carrel::virtio
