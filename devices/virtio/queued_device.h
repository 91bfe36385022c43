// QueuedDevice: what all devices do the same way: open their queues, serve them within bounds, go back to the
// start.
#pragma once

#include <array>
#include <atomic>
#include <memory>
#include <optional>
#include <variant>

#include "devices/virtio/queue/virt_queue.h"
#include "devices/virtio/virtio_device.h"
#include "vmm/base/mutex.h"

namespace carrel::virtio {

// A device derives from this and says what it does with a chain. One mutex guards all that it has.
class QueuedDevice : public VirtioDevice {
  public:
    void connect(GuestMemory& memory, DeviceEvents& events) final;
    const char* activate(const Activation& activation) final EXCLUDES(mutex_);
    bool reset_queue(uint16_t queue) final EXCLUDES(mutex_);
    const char* enable_queue(uint16_t queue, const QueueState& state) final EXCLUDES(mutex_);
    void notify(uint16_t queue) override EXCLUDES(mutex_);
    void reset() final EXCLUDES(mutex_);
    bool quiesce(Nanoseconds limit) final EXCLUDES(mutex_);
    void resume() final EXCLUDES(mutex_);
    bool abandon(Nanoseconds limit) final EXCLUDES(mutex_);
    void memory_came() final EXCLUDES(mutex_);
    std::vector<QueueState> queue_states() const final EXCLUDES(mutex_);

    uint64_t malformed() const final { return malformed_.load(std::memory_order_relaxed); }

  protected:
    // Chains taken in one notify(), so that a guest that never stops can't keep the thread from other
    // devices.
    static constexpr unsigned kMostChains = 128;

    // What a doorbell means, or again(): all chains that there are, within bounds, are served. A device that
    // has use for a chain only when something comes for it doesn't do that, but take()s one by one. True:
    // call again, there is work left.
    virtual bool turn(uint16_t queue) REQUIRES(mutex_);
    // Whether turn() may take the next chain now; asked before each. One that stays in its queue is the
    // device's to remember: it asks for another turn by again() when it can serve it.
    virtual bool wants(uint16_t) REQUIRES(mutex_) { return true; }
    // Whether it writes into what is writable (QueueFeatures::writes).
    virtual bool writes() const { return true; }
    // Its turn ends with the chain completed, or kept for later.
    virtual void serve(uint16_t queue, DescriptorChain chain) REQUIRES(mutex_) = 0;
    // All chains of a turn have been served: what was only noted goes out in one system call.
    virtual void end_turn(uint16_t) REQUIRES(mutex_) {}
    // The driver has said DRIVER_OK, or the device was restored as it was after that.
    virtual void started() REQUIRES(mutex_) {}
    // Waits until nothing that was started touches guest memory, at most `limit`; false: it isn't so yet.
    // Chains that are kept are completed, or where `abandon` says so, abandoned. What ends after a drain that
    // failed finds the device not active() and is abandoned, too. It may let the mutex go while it waits.
    virtual bool drain(bool, Nanoseconds) REQUIRES(mutex_) { return true; }
    // The same for one queue's chains, none abandoned. To do it for all of the device's is right, too: the
    // other queues go on afterwards.
    virtual bool drain_queue(uint16_t, Nanoseconds limit) REQUIRES(mutex_) { return drain(false, limit); }

    // The next chain, while serving(). Nothing: turn() comes when there is one. Between two publish() at most
    // as many as the queue has room for, those that were malformed and went back among them.
    std::optional<DescriptorChain> take(uint16_t queue) REQUIRES(mutex_);

    // How many chains the next take()s will find, by the driver's word; 0 where it isn't ready, or was reset.
    uint16_t available(uint16_t queue) const REQUIRES(mutex_) {
        return queues_[queue] ? queues_[queue]->available() : uint16_t{0};
    }

    // What a driver can set is again as it was at first; nothing is in flight.
    virtual void power_on() REQUIRES(mutex_) {}

    bool active() const REQUIRES(mutex_) { return active_; }
    // Active, and neither quiet nor broken.
    bool serving() const REQUIRES(mutex_) { return active_ && !quiet_ && broken_ == nullptr; }
    uint64_t accepted() const REQUIRES(mutex_) { return features_; }
    GuestMemory& memory() const { return *memory_; }
    DeviceEvents& events() const { return *events_; }
    // After completions: makes them visible, and interrupts where the driver wants it. Takes up work that
    // found no room. A queue that isn't ready: nothing.
    void publish(uint16_t queue) REQUIRES(mutex_);

    mutable Mutex mutex_;

  private:
    VirtQueue::Opened open(const QueueState& state) const REQUIRES(mutex_);
    void show(uint16_t queue) REQUIRES(mutex_);  // completions, and an interrupt where the driver wants it
    void fail(const char* reason) REQUIRES(mutex_);
    void close() REQUIRES(mutex_);

    GuestMemory* memory_ = nullptr;
    DeviceEvents* events_ = nullptr;
    std::atomic<uint64_t> malformed_{0};
    bool active_ GUARDED_BY(mutex_) = false;
    bool quiet_ GUARDED_BY(mutex_) = false;
    const char* broken_ GUARDED_BY(mutex_) = nullptr;  // why the device waits for a reset
    bool starved_ GUARDED_BY(mutex_) = false;          // a chain waits for room in the memory quota
    uint64_t features_ GUARDED_BY(mutex_) = 0;
    std::vector<std::unique_ptr<VirtQueue>> queues_ GUARDED_BY(mutex_);  // null: not ready
    std::vector<bool> busy_ GUARDED_BY(mutex_);                          // waits for a chain to end
};

}  // namespace carrel::virtio
