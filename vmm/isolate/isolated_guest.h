// IsolatedGuest: a guest in a process of its own, as its fleet sees it. A run is a process: it is made when
// the guest is loaded and has gone when the guest has ended, however that came about, so all that the guest
// had is given back by the kernel. Its console, which is in memory that both see, and its last figures stay.
//
//   load ──► process made ──► News: loading, created ──► orders … News … ──► News: ended ──► process gone
//                                                             └── crash, kill ────────────────────┤
//                                                                                               ended
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "vmm/host/fleet.h"
#include "vmm/isolate/common_memory.h"
#include "vmm/isolate/far_vcpu.h"
#include "vmm/isolate/guest_link.h"

namespace carrel::isolate {

class IsolatedGuest final : public FleetGuest, public LinkListener {
  public:
    struct Options {
        std::string program = "/proc/self/exe";  // carrel
        LogLevel level = LogLevel::kWarning;
    };
    static Result<std::unique_ptr<FleetGuest>> create(const MachineConfig& config,
                                                      const GuestServices& services, GuestListener& listener,
                                                      const Options& options);
    IsolatedGuest(MachineConfig config, const GuestServices& services, GuestListener& listener,
                  const Options& options);  // use create()
    ~IsolatedGuest() override;
    IsolatedGuest(const IsolatedGuest&) = delete;
    IsolatedGuest& operator=(const IsolatedGuest&) = delete;

    void load(Done done) override;
    void start(Done done) override;
    void pause(Done done) override;
    void resume(bool clocks_ran, Done done) override;
    void stop(Nanoseconds patience) override;
    void end(MachineEnd end) override;
    void change(const MachineConfig& config) override;
    void dismantle(std::function<void()> done) override;

    GuestState state() const override { return state_; }
    GuestInfo info() const override { return {config_.name, state_, why_, end_, config_}; }
    const MachineConfig& config() const override { return config_; }
    bool has_machine() const override { return link_ != nullptr; }
    void stats(std::function<void(Result<GuestStats>)> done) override;
    Result<ConsoleEnds> console_ends() override;

    void on_news(News news) override;
    void on_seated(uint32_t place, Fd statistics) override;
    void on_exit() override { leave_scheduler(); }
    void on_gone(const std::string& how) override;

  private:
    Result<void> open_console();
    Result<void> begin_process();
    Result<void> enter_scheduler();
    void leave_scheduler();
    void give(Order::What what, std::string text, Done done);
    void finish(MachineEnd end);
    void tell(GuestEvent::Kind kind, const std::string& detail) { listener_.on_change(*this, kind, detail); }

    MachineConfig config_;
    GuestServices services_;
    GuestListener& listener_;
    const Options options_;
    std::shared_ptr<CommonMemory> memory_;
    std::shared_ptr<ConsoleTranscript> transcript_;
    Fd output_;                        // eventfd: its console has more for who has read all
    Fd typing_, typed_;                // a pipe's ends: what is typed, and where the process reads it
    Fd bell_;                          // eventfd: its vCPUs have something to report
    std::unique_ptr<GuestLink> link_;  // none: there is no process
    sched::GuestId scheduled_as_{};
    std::shared_ptr<sched::IoAccount> io_account_;  // of what the host does for it
    std::vector<std::unique_ptr<FarVcpu>> vcpus_;   // of its process
    std::optional<sched::ShareBoard> sched_board_;  // where they sit
    std::optional<uint32_t> board_;                 // their scheduler's number for them
    Done loaded_;                                   // load()'s, until it is
    GuestState state_ = GuestState::kLoading;
    std::string why_;
    std::optional<MachineEnd> wish_;  // how it was ended from outside
    std::optional<MachineEnd> said_;  // how it said that it ended
    std::optional<MachineEnd> end_;
    GuestStats past_;  // of a process that has gone
    // Who was asked may answer when this has gone.
    const std::shared_ptr<char> alive_ = std::make_shared<char>();
};

// What a fleet makes its guests by.
GuestFactory factory(const IsolatedGuest::Options& options);

}  // namespace carrel::isolate
