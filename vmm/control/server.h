// Server: the control socket of a host. Everything of it happens on main's loop, but for the verbs, which the
// io thread does; so no client, however he behaves, is in the way of a guest.
#pragma once

#include <atomic>
#include <map>
#include <memory>
#include <string>

#include "vmm/base/event_loop.h"
#include "vmm/base/log.h"
#include "vmm/base/opener.h"
#include "vmm/control/connection.h"
#include "vmm/host/host.h"

namespace carrel::control {

// Made before the host's io thread runs, destroyed after; all else on `loop`'s thread.
class Server final : public EventListener, public ConnectionListener {
  public:
    // Each has a descriptor or two; who comes while there are so many is told to come later.
    static constexpr size_t kMostClients = 256;

    // All but the path outlives it. The error: the path is a living server's, or the system's.
    static Result<std::unique_ptr<Server>> create(EventLoop& loop, Opener& opener, std::string path,
                                                  Host& host, Log& log);
    Server(EventLoop& loop, Opener& opener, std::string path, Host& host, Log& log)
        : loop_(loop), opener_(opener), path_(std::move(path)), host_(host), log_(log) {}  // use create()
    ~Server() override;
    Server(const Server&) = delete;
    Server& operator=(const Server&) = delete;

    void on_event(const GuestEvent& event) override;  // on the io thread
    void on_request(uint64_t id, Request request) override;
    void on_closed(uint64_t id) override;

  private:
    void accept();
    void rest();
    bool may_talk(int fd) const;
    void attach(uint64_t id, const std::string& guest);
    // `task` on main with the connection, where it is still there then.
    void on_main(uint64_t id, std::function<void(Connection&)> task);

    EventLoop& loop_;
    Opener& opener_;
    const std::string path_;
    Host& host_;
    Log& log_;
    Fd listening_;
    std::map<uint64_t, std::unique_ptr<Connection>> connections_;
    uint64_t next_ = 0;
    std::atomic<size_t> streams_{0};  // connections that want to hear of events
    // What is posted to main may come after the end of this.
    const std::shared_ptr<char> alive_ = std::make_shared<char>();
};

}  // namespace carrel::control
