#include "devices/virtio/queue_kicks.h"

#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <cerrno>

namespace carrel::virtio {

Result<QueueKicks> QueueKicks::create(EventLoop& loop, VirtioDevice& device) {
    QueueKicks kicks(loop);
    for (uint16_t queue = 0; queue < device.queue_sizes().size(); ++queue) {
        Fd fd(::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC));
        if (fd.get() < 0) return os_error(errno, "cannot make an eventfd");
        // By its edges, of which each ring is one: nobody has to read the count.
        TRY(loop.watch(fd.get(), EPOLLIN | EPOLLET, [queue, &device](uint32_t) { device.notify(queue); }));
        kicks.fds_.push_back(std::move(fd));
    }
    return kicks;
}

QueueKicks::~QueueKicks() {
    for (const Fd& fd : fds_) loop_->unwatch(fd.get());
}

// It can't be full: that takes 2^64 rings without a read.
void QueueKicks::ring(uint16_t queue) const {
    const uint64_t one = 1;
    if (queue < fds_.size()) (void)!::write(fds_[queue].get(), &one, sizeof one);
}

}  // namespace carrel::virtio
