#include "vmm/machine/disk_pool.h"

#include <fmt/core.h>

#include <algorithm>
#include <array>

#include "devices/virtio/loop_runner.h"
#include "devices/virtio/thread_runner.h"
#include "vmm/base/check.h"
#include "vmm/base/thread.h"

namespace carrel {

using virtio::DeviceRunner;
using virtio::LoopRunner;
using virtio::ThreadRunner;

struct DiskPool::Loop {
    ~Loop() {
        if (thread.running()) events->stop();
        thread.join_body();
    }
    // Runs `task` on its thread, and waits for that.
    void run(const EventLoop::Task& task) const {
        Mutex mutex;
        Condition changed;
        bool done = false;
        events->post([&] {
            task();
            MutexLock lock(mutex);
            done = true;
            changed.notify_all();
        });
        MutexLock lock(mutex);
        while (!done) changed.wait(mutex);
    }

    SystemClock clock;
    std::unique_ptr<EventLoop> events;
    unsigned number = 0;
    unsigned disks = 0;
    Thread thread;
};

class DiskPool::OwnThread final : public DeviceRunner {
  public:
    OwnThread(DiskPool& pool, std::unique_ptr<DeviceRunner> runner)
        : pool_(pool), runner_(std::move(runner)) {}
    ~OwnThread() override {
        runner_.reset();
        pool_.give_own();
    }
    OwnThread(const OwnThread&) = delete;
    OwnThread& operator=(const OwnThread&) = delete;

    void ring(uint16_t queue) const override { runner_->ring(queue); }
    int fd(uint16_t queue) const override { return runner_->fd(queue); }

  private:
    DiskPool& pool_;
    std::unique_ptr<DeviceRunner> runner_;
};

class DiskPool::OnLoop final : public DeviceRunner {
  public:
    OnLoop(DiskPool& pool, Loop& loop, std::unique_ptr<DeviceRunner> runner)
        : pool_(pool), loop_(loop), runner_(std::move(runner)) {}
    ~OnLoop() override {
        loop_.run([this] { runner_.reset(); });
        pool_.give_loop(loop_);
    }
    OnLoop(const OnLoop&) = delete;
    OnLoop& operator=(const OnLoop&) = delete;

    void ring(uint16_t queue) const override { runner_->ring(queue); }
    int fd(uint16_t queue) const override { return runner_->fd(queue); }

  private:
    DiskPool& pool_;
    Loop& loop_;
    std::unique_ptr<DeviceRunner> runner_;
};

DiskPool::DiskPool() = default;

DiskPool::~DiskPool() {
    MutexLock lock(mutex_);
    CHECK(own_ == 0 && loops_.empty());
}

Result<std::unique_ptr<DeviceRunner>> DiskPool::runner_for(std::string_view name,
                                                           virtio::VirtioDevice& device,
                                                           const EventLoop::Charge& charge) {
    if (take_own()) {
        auto runner = ThreadRunner::start(name, device, charge);
        if (runner.ok())
            return std::unique_ptr<DeviceRunner>(std::make_unique<OwnThread>(*this, std::move(*runner)));
        give_own();
        return runner.error();
    }
    TRY_ASSIGN(Loop* const loop, take_loop());
    Result<std::unique_ptr<LoopRunner>> runner = std::unique_ptr<LoopRunner>();
    loop->run([&] {
        const EventLoop::ChargeScope scope(*loop->events, charge);
        runner = LoopRunner::create(*loop->events, device);
    });
    if (runner.ok())
        return std::unique_ptr<DeviceRunner>(std::make_unique<OnLoop>(*this, *loop, std::move(*runner)));
    give_loop(*loop);
    return runner.error();
}

bool DiskPool::take_own() {
    MutexLock lock(mutex_);
    if (own_ == kOwn) return false;
    ++own_;
    return true;
}

void DiskPool::give_own() {
    MutexLock lock(mutex_);
    --own_;
}

// One that no loop has.
unsigned DiskPool::free_number() const {
    std::array<bool, kShared> taken{};
    for (const auto& loop : loops_) taken.at(loop->number) = true;
    return static_cast<unsigned>(std::find(taken.begin(), taken.end(), false) - taken.begin());
}

// The one with the fewest disks, a new one as long as there may be more.
Result<DiskPool::Loop*> DiskPool::take_loop() {
    MutexLock lock(mutex_);
    if (loops_.size() < kShared) {
        auto loop = std::make_unique<Loop>();
        TRY_ASSIGN(loop->events, EventLoop::create(loop->clock));
        loop->number = free_number();
        TRY_ASSIGN(loop->thread, Thread::start(fmt::format("disks-{}", loop->number),
                                               [&events = *loop->events] { events.run(); }));
        loop->disks = 1;
        loops_.push_back(std::move(loop));
        return loops_.back().get();
    }
    const auto least = std::min_element(loops_.begin(), loops_.end(),
                                        [](const auto& a, const auto& b) { return a->disks < b->disks; });
    ++(*least)->disks;
    return least->get();
}

// The last disk takes its thread along.
void DiskPool::give_loop(Loop& loop) {
    std::unique_ptr<Loop> ended;  // joined when the mutex is free
    MutexLock lock(mutex_);
    if (--loop.disks > 0) return;
    const auto found =
        std::find_if(loops_.begin(), loops_.end(), [&](const auto& one) { return one.get() == &loop; });
    CHECK(found != loops_.end());
    ended = std::move(*found);
    loops_.erase(found);
}

}  // namespace carrel
