// NetSwitch: an Ethernet switch between guests of this process. Nothing of the host's network is touched.
//
//   SwitchPort (a guest's NetBackend) ── send() ──► MacTable ──► FrameQueue of each port it is for ──
//   receive() ──► guest
//
// A frame is copied into the queue of each port that it is for. Where a queue is full, it is dropped for that
// port, as a switch does, so a guest that doesn't read is no matter to others. A port can't send by an
// address that another's configuration has (mac_table.h), nor fill the table.
//
// Not there: VLANs (tags pass as they are), spanning tree, offloads (each guest finishes what it sends).
#pragma once

#include <map>
#include <memory>
#include <string>

#include "devices/backends/frame_queue.h"
#include "devices/backends/loop_signal.h"
#include "devices/backends/mac_table.h"
#include "devices/backends/net_backend.h"
#include "vmm/base/event_loop.h"

namespace carrel {

class SwitchPort;

// Lives as long as its ports. All of it, and all of its ports, on the loop's thread or while that doesn't
// run: where guests get loops of their own, a port's queue becomes the place where two threads meet, and the
// table needs a lock.
class NetSwitch {
  public:
    static Result<std::shared_ptr<NetSwitch>> create(EventLoop& loop, std::string name);
    NetSwitch(EventLoop& loop, std::string name) : loop_(loop), name_(std::move(name)) {}  // use create()

    // A new port, for a guest whose interface has that address. The error: another one has it.
    static Result<std::unique_ptr<SwitchPort>> add_port(std::shared_ptr<NetSwitch> to, const MacAddress& mac,
                                                        uint16_t mtu);

    const std::string& name() const { return name_; }
    const MacTable& table() const { return table_; }

  private:
    friend class SwitchPort;
    void forward(SwitchPort& from, std::span<const iovec> frame, size_t length);
    void deliver(SwitchPort& to, std::span<const iovec> frame, size_t length);
    void remove(SwitchPort& port);
    void tell_ports();

    EventLoop& loop_;
    const std::string name_;
    MacTable table_;
    std::unique_ptr<LoopSignal> waiting_;  // some port has frames that its guest doesn't know of
    std::map<MacTable::Port, SwitchPort*> ports_;
    MacTable::Port next_ = 0;
};

class SwitchPort final : public NetBackend {
  public:
    // Some 680 frames of 1500 bytes, or 15 of 64 KiB.
    static constexpr size_t kQueueBytes = size_t{1} << 20;

    SwitchPort(std::shared_ptr<NetSwitch> to, MacTable::Port id, uint16_t mtu);  // use NetSwitch::add_port()
    ~SwitchPort() override;
    SwitchPort(const SwitchPort&) = delete;
    SwitchPort& operator=(const SwitchPort&) = delete;

    std::string_view name() const override { return switch_->name(); }
    bool link_up() const override { return true; }
    unsigned pairs() const override { return 1; }
    uint64_t features() const override { return 0; }
    uint16_t mtu() const override { return mtu_; }
    void attach(NetListener& listener) override;
    void detach(NetListener& listener) override;
    void agree(uint64_t, unsigned) override {}
    void watch(unsigned pair, bool on) override;
    ssize_t receive(unsigned pair, std::span<const iovec> pieces) override;
    ssize_t send(unsigned pair, std::span<const iovec> pieces) override;
    NetLosses losses() const override { return losses_; }

  private:
    friend class NetSwitch;
    bool has_news() const { return watched_ && listener_ != nullptr && !queue_.empty(); }

    const std::shared_ptr<NetSwitch> switch_;
    const MacTable::Port id_;
    const uint16_t mtu_;
    NetListener* listener_ = nullptr;
    bool watched_ = false;
    FrameQueue queue_{kQueueBytes};
    NetLosses losses_;
};

// The switches of one process, by name. One goes when its last port does. Like them, on the loop's thread.
class NetSwitches {
  public:
    Result<std::unique_ptr<SwitchPort>> add_port(EventLoop& loop, const std::string& name,
                                                 const MacAddress& mac, uint16_t mtu);

  private:
    std::map<std::string, std::weak_ptr<NetSwitch>> switches_;
};

}  // namespace carrel
