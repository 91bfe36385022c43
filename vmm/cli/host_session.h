// HostSession: main's part while a host of several guests runs: signals, the control socket, and the end.
#pragma once

#include <memory>
#include <string>

#include "vmm/base/event_loop.h"
#include "vmm/base/log.h"
#include "vmm/base/opener.h"
#include "vmm/base/signal_watch.h"
#include "vmm/base/spawner.h"
#include "vmm/config/fleet_json.h"
#include "vmm/control/server.h"
#include "vmm/host/guest_placement.h"
#include "vmm/host/host.h"

namespace carrel::cli {

// On main, once. run() returns the exit status.
class HostSession {
  public:
    // `isolate`: each guest has a process of its own.
    HostSession(config::FleetConfig config, std::string socket, LogLevel level, bool isolate);
    ~HostSession();
    HostSession(const HostSession&) = delete;
    HostSession& operator=(const HostSession&) = delete;

    int run();

  private:
    Result<void> set_up();
    Result<void> raise_limit();
    Result<void> take_signals();
    void create_next();
    void start_all();
    void give_up(const Error& error);
    void ask_to_end();
    int refuse(const Error& error);

    config::FleetConfig config_;
    const std::string socket_;
    const LogLevel level_;
    const bool isolate_;
    Log log_;
    SystemClock clock_;
    DirectOpener opener_;
    DirectSpawner spawner_;
    std::unique_ptr<EventLoop> main_loop_;
    std::unique_ptr<SignalWatch> signals_;
    std::unique_ptr<Host> host_;
    std::unique_ptr<GuestPlacement> placement_;  // goes before the host, as the next does
    std::unique_ptr<control::Server> server_;
    size_t created_ = 0;  // the io thread's: of config_.guests
    bool asked_ = false;  // to end
    std::optional<Error> failure_;
};

}  // namespace carrel::cli
