// GuestProcess: the other side of an IsolatedGuest: a process with one guest, which does what its host says
// and tells what happens. It is a host of one guest itself, so each verb is the same code, held against the
// same table of states: the guest's true state is known here only.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "vmm/base/event_loop.h"
#include "vmm/base/log.h"
#include "vmm/base/opener.h"
#include "vmm/base/spawner.h"
#include "vmm/host/host.h"
#include "vmm/isolate/common_memory.h"
#include "vmm/isolate/message.h"
#include "vmm/isolate/message_socket.h"
#include "vmm/sched/board_leases.h"

namespace carrel::isolate {

// On main, once.
class GuestProcess final : public EventListener, public ConsoleWatcher {
  public:
    // The descriptors that it is begun with.
    static constexpr int kSocket = 3;  // what is said both ways
    static constexpr int kMemory = 4;  // CommonMemory
    static constexpr int kTyped = 5;   // a pipe: what is typed at its console
    static constexpr int kOutput = 6;  // an eventfd: its console has said more
    static constexpr int kBell = 7;    // another: its vCPUs have something to report

    GuestProcess(LogLevel level, uint32_t vcpus);
    ~GuestProcess() override;
    GuestProcess(const GuestProcess&) = delete;
    GuestProcess& operator=(const GuestProcess&) = delete;

    // Until its guest has ended, or its host has gone. The error: it wasn't begun by one.
    Result<void> run();

    void on_event(const GuestEvent& event) override;  // on the io thread
    void on_output() override;                        // on a vCPU's

  private:
    Result<void> set_up();
    void on_message(std::span<const std::byte> bytes);
    void on_seat(uint32_t place, const sched::ScheduledVcpu& vcpu);
    // On the io thread.
    void carry_out(Order order);
    void create(const Order& order);
    void change(const Order& order);
    void stats(const Order& order);
    Fleet::Done answering(uint32_t order);
    void tell_end(News news);
    // Any thread.
    void say(Word word, const std::shared_ptr<Fd>& with = nullptr);
    void quit();

    SystemClock clock_;
    DirectOpener opener_;
    DirectSpawner spawner_;
    Log log_;
    std::shared_ptr<CommonMemory> memory_;
    const uint32_t vcpus_;
    Fd typed_, output_, bell_;
    std::optional<sched::BoardLeases> leases_;
    ConsoleLine line_;
    std::unique_ptr<EventLoop> main_loop_;
    std::unique_ptr<Host> host_;
    std::unique_ptr<MessageSocket> socket_;  // main's
    std::string name_;                       // the io thread's: the guest's
};

}  // namespace carrel::isolate
