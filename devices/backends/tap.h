// Tap: a network interface of the host's as a guest's other end. The kernel reads and writes guest memory
// itself, a frame for each system call, and finishes checksums and segments where the guest leaves them so.
//
// The link is up until the interface is deleted.
#pragma once

#include <atomic>
#include <memory>
#include <vector>

#include "devices/backends/net_backend.h"
#include "devices/backends/tap_interface.h"
#include "vmm/base/event_loop.h"

namespace carrel {

class Tap final : public NetBackend {
  public:
    // `loop` outlives it.
    Tap(EventLoop& loop, TapInterface interface);
    ~Tap() override;

    std::string_view name() const override { return interface_.name; }
    bool link_up() const override { return up_.load(std::memory_order_relaxed); }
    unsigned pairs() const override { return static_cast<unsigned>(interface_.queues.size()); }
    uint64_t features() const override;
    uint16_t mtu() const override { return interface_.mtu; }
    void attach(NetListener& listener) override;
    void detach(NetListener& listener) override;
    void agree(uint64_t features, unsigned pairs) override;
    void watch(unsigned pair, bool on) override;
    // To find none costs more than to be told of another by the loop's next turn.
    unsigned most_at_once() const override { return 1; }
    ssize_t receive(unsigned pair, std::span<const iovec> pieces) override;
    ssize_t send(unsigned pair, std::span<const iovec> pieces) override;

  private:
    struct Queue {
        bool attached = true;     // the kernel gives it frames
        bool watched = false;     // the loop knows it
        uint32_t wanted = 0;      // EPOLLIN, EPOLLOUT
        uint32_t registered = 0;  // what the loop was told last
    };

    int fd(unsigned pair) const { return interface_.queues[pair].get(); }
    void want(unsigned pair, uint32_t events, bool on);
    void stop_watching(unsigned pair);
    void use(unsigned pair, bool on);
    void on_event(unsigned pair, uint32_t events);
    void on_gone();

    EventLoop& loop_;
    const TapInterface interface_;
    std::vector<Queue> queues_;
    NetListener* listener_ = nullptr;
    std::atomic<bool> up_{true};
    unsigned offloads_ = 0;
};

}  // namespace carrel
