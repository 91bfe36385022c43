// Host: one process with its guests, the io thread that serves them all, and what they share. `carrel run` is
// a host with one guest.
#pragma once

#include <functional>
#include <memory>

#include "vmm/base/event_loop.h"
#include "vmm/base/fd.h"
#include "vmm/base/log.h"
#include "vmm/base/opener.h"
#include "vmm/base/spawner.h"
#include "vmm/base/thread.h"
#include "vmm/host/fleet.h"
#include "vmm/sched/scheduler.h"

namespace carrel {

// Threads: create(), start() and what is done to the fleet before that, on main; then post() from anywhere.
class Host {
  public:
    // `opener`, `spawner`, `log` and `clock` outlive it.
    static Result<std::unique_ptr<Host>> create(const HostResources& resources, Opener& opener,
                                                Spawner& spawner, Log& log, const Clock& clock);
    Host(const HostResources& resources, std::unique_ptr<EventLoop> io, Opener& opener, Spawner& spawner,
         Log& log, const Clock& clock);
    // Stops the io thread, then destroys the guests.
    ~Host();
    Host(const Host&) = delete;
    Host& operator=(const Host&) = delete;

    // Its guests: on the io thread once that runs.
    Fleet& fleet() { return fleet_; }
    // The loop of its io thread, for what works there; not before start().
    EventLoop& io() { return *io_; }
    // Its guests are kept to their shares of so many host CPUs. Before the first guest.
    Result<void> start_scheduler(const sched::Scheduler::Options& options);
    // Starts the io thread.
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

    std::unique_ptr<EventLoop> io_;
    MachineShare share_;
    Fd memory_alarm_;                              // eventfd, written by the SIGBUS handler
    std::unique_ptr<sched::Scheduler> scheduler_;  // null: nobody has a share to be kept to
    Worker worker_;
    Fleet fleet_;
    Thread io_thread_;
};

}  // namespace carrel
