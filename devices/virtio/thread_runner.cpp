#include "devices/virtio/thread_runner.h"

#include <unistd.h>

#include <utility>

#include "vmm/base/check.h"

namespace carrel::virtio {

Result<std::unique_ptr<ThreadRunner>> ThreadRunner::start(std::string_view name, VirtioDevice& device,
                                                          std::shared_ptr<ChargeSink> charge) {
    CHECK(device.event_fd() >= 0);
    auto runner = std::make_unique<ThreadRunner>(device, std::move(charge));
    TRY_ASSIGN(runner->thread_, Thread::start(name, [r = runner.get()] { r->run(); }));
    return runner;
}

ThreadRunner::~ThreadRunner() {
    {
        MutexLock lock(mutex_);
        stopping_ = true;
        stopped_.notify_all();
    }
    ring(0);
    thread_.join_body();
}

void ThreadRunner::ring(uint16_t) const {
    const uint64_t one = 1;
    (void)!::write(device_.event_fd(), &one, sizeof one);
}

void ThreadRunner::run() {
    const auto queues = static_cast<uint16_t>(device_.queue_sizes().size());
    while (!stopping_) {
        uint64_t rings = 0;
        (void)!::read(device_.event_fd(), &rings,
                      sizeof rings);  // interrupted: looking for nothing does no harm
        device_.wake();
        for (uint16_t queue = 0; queue < queues; ++queue) device_.notify(queue);
        if (charge_) settle_charge();
    }
}

void ThreadRunner::settle_charge() {
    const Nanoseconds now = thread_cpu_time();
    charge_->charge(now - std::exchange(charged_, now));
    const Nanoseconds until = charge_->held_until();
    if (until == 0) return;
    const SystemClock clock;
    MutexLock lock(mutex_);
    while (!stopping_) {
        const Nanoseconds left = until - clock.now();
        if (left <= 0 || !stopped_.wait_for(mutex_, left)) return;
    }
}

}  // namespace carrel::virtio
