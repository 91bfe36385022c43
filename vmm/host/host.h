// Host: one process's guests, its io thread, and the verbs. `carrel run` is a host with one guest.
#pragma once

#include <functional>
#include <memory>
#include <vector>

#include "vmm/base/event_loop.h"
#include "vmm/base/fd.h"
#include "vmm/base/log.h"
#include "vmm/base/opener.h"
#include "vmm/base/spawner.h"
#include "vmm/base/thread.h"
#include "vmm/host/guest.h"
#include "vmm/sched/scheduler.h"

namespace carrel {

// Threads: create(), add() and start() on main, before the io thread runs; then post() from anywhere.
class Host {
  public:
    // `opener`, `spawner`, `log` and `clock` outlive it.
    static Result<std::unique_ptr<Host>> create(Opener& opener, Spawner& spawner, Log& log,
                                                const Clock& clock);
    Host(std::unique_ptr<EventLoop> io, Opener& opener, Spawner& spawner, Log& log, const Clock& clock);
    // Stops the io thread, then destroys the guests.
    ~Host();
    Host(const Host&) = delete;
    Host& operator=(const Host&) = delete;

    // Admits a guest: everything is opened and loaded, nothing runs. The guest lives as long as the host.
    Result<Guest*> add(const MachineConfig& config, std::function<void(const GuestReport&)> on_finished);
    // Starts all guests and the io thread.
    Result<void> start();
    // Runs `task` on the io thread, where guests may be touched.
    void post(std::function<void()> task) { io_->post(std::move(task)); }
    // Stops the io thread, so that guests may be touched from here. Once.
    void stop_io();
    // The process ends next, all guests having ended: KVM's part of their end is left to
    // the kernel (vmm/kvm/teardown.h).
    void defer_teardown();

  private:
    Result<void> watch_memory();
    Result<void> start_scheduler();

    std::unique_ptr<EventLoop> io_;
    MachineShare share_;
    Fd memory_alarm_;                              // eventfd, written by the SIGBUS handler
    std::unique_ptr<sched::Scheduler> scheduler_;  // from the first guest on that has a share to be kept to
    GuestServices services_;
    std::vector<std::unique_ptr<Guest>> guests_;
    Thread io_thread_;
};

}  // namespace carrel
