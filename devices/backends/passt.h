// Passt: a guest's network by way of the host's sockets, through the program `passt`, which needs no rights.
//
//   Net ── frames ──► FrameWriter ──► socketpair ──► passt ──► sockets of the host's
//       ◄── frames ── FrameReader ◄──
//
// passt is a program of its own, and may die or be killed: then the link is down, and up again with the next
// one, which is started at once, or later and later where they die soon. What it sends is checked: a frame
// that can't be ends it like a death.
//
// How it is spoken to is Debian 12's: `passt --fd N`, frames behind their lengths, and no virtio_net_hdr.
// Newer ones speak vhost-user, too. Nothing is offloaded; what makes it fast is that frames are large.
#pragma once

#include <atomic>
#include <memory>
#include <string>
#include <vector>

#include "devices/backends/frame_reader.h"
#include "devices/backends/frame_writer.h"
#include "devices/backends/loop_signal.h"
#include "devices/backends/net_backend.h"
#include "vmm/base/event_loop.h"
#include "vmm/base/log.h"
#include "vmm/base/spawner.h"
#include "vmm/model/port_forward.h"

namespace carrel {

struct PasstOptions {
    uint16_t mtu = 0;  // that the guest is told; 0: the largest
    std::vector<PortForward> forwards;
};

// What it is called with. The socket is descriptor kPasstSocket in it.
inline constexpr int kPasstSocket = 3;
std::vector<std::string> passt_command(const PasstOptions& options);

class Passt final : public NetBackend {
  public:
    // What it uses; all of it outlives it.
    struct Services {
        EventLoop& loop;
        Spawner& spawner;
        Log& log;
    };
    // passt is started, on a thread that lives on (spawner.h).
    static Result<std::unique_ptr<Passt>> create(const Services& services, PasstOptions options);
    Passt(const Services& services, PasstOptions options);  // use create()
    ~Passt() override;
    Passt(const Passt&) = delete;
    Passt& operator=(const Passt&) = delete;

    std::string_view name() const override { return "user"; }
    bool link_up() const override { return up_.load(std::memory_order_relaxed); }
    unsigned pairs() const override { return 1; }
    uint64_t features() const override { return 0; }
    uint16_t mtu() const override { return options_.mtu; }
    void attach(NetListener& listener) override;
    void detach(NetListener& listener) override;
    void agree(uint64_t, unsigned) override {}
    void watch(unsigned pair, bool on) override;
    ssize_t receive(unsigned pair, std::span<const iovec> pieces) override;
    ssize_t send(unsigned pair, std::span<const iovec> pieces) override;
    void flush(unsigned pair) override;

    pid_t pid() const { return child_.pid(); }

  private:
    Result<void> start();
    Result<void> watch_descriptors();
    void on_socket(uint32_t events);
    bool read_words();
    void on_ended();
    void give_up(const char* why = nullptr);
    void lose();
    void start_again();
    void start_later();
    void tell_frames();
    void on_room();
    void look_again();
    void want(bool room);
    std::string last_words();
    void say(const std::string& text);
    void close_all();

    EventLoop& loop_;
    Spawner& spawner_;
    Log& log_;
    const PasstOptions options_;
    std::unique_ptr<LoopSignal> again_;  // what can't be done within a call of the device's
    NetListener* listener_ = nullptr;
    std::atomic<bool> up_{false};

    Child child_;
    Fd socket_;  // closed: the link is down
    Fd words_;   // what passt says on its standard error
    std::string said_;
    bool broken_ = false;            // to be ended: it is gone, or talks nonsense
    const char* trouble_ = nullptr;  // why, if it's by us
    FrameReader reader_;
    FrameWriter writer_;
    bool watched_ = false;     // the device wants frames
    bool want_room_ = false;   // the socket is full
    bool refused_ = false;     // the device was told so
    Nanoseconds started_ = 0;  // when
    Nanoseconds delay_;        // before the next one
    uint64_t timer_ = 0;       // 0: none
};

}  // namespace carrel
