// RunSession: main's part while a guest runs: signals, the end, and the last words.
#pragma once

#include <initializer_list>
#include <memory>
#include <optional>

#include "vmm/base/event_loop.h"
#include "vmm/base/log.h"
#include "vmm/base/opener.h"
#include "vmm/base/signal_watch.h"
#include "vmm/base/spawner.h"
#include "vmm/host/host.h"

namespace carrel::cli {

// On main, once. run() returns the exit status.
class RunSession {
  public:
    RunSession(const MachineConfig& config, LogLevel level, bool verbose);
    ~RunSession();
    RunSession(const RunSession&) = delete;
    RunSession& operator=(const RunSession&) = delete;

    int run();

  private:
    Result<void> set_up();
    Result<void> start();
    Result<std::unique_ptr<SignalWatch>> take(std::initializer_list<int> numbers);
    void on_signal(int number);
    void ask_to_end(int number);
    void end_guest(std::string why);
    void suspend();
    void resume();
    int report(const GuestReport& report);
    int refuse(const Error& error);
    void tell_start();

    MachineConfig config_;
    bool verbose_;
    Log log_;
    SystemClock clock_;
    DirectOpener opener_;
    DirectSpawner spawner_;
    std::unique_ptr<EventLoop> main_loop_;
    std::unique_ptr<SignalWatch> signals_;      // of job control
    std::unique_ptr<SignalWatch> end_signals_;  // those that ask for the end
    std::unique_ptr<Host> host_;
    Guest* guest_ = nullptr;
    bool asked_ = false;  // the power button has been pressed for a signal
    std::optional<GuestReport> report_;
};

}  // namespace carrel::cli
