// Guest: one machine, again and again where its configuration says so, and the console that outlives each of
// them.
#pragma once

#include <functional>
#include <memory>
#include <optional>

#include "vmm/host/fleet_guest.h"
#include "vmm/host/guest_console.h"
#include "vmm/host/worker.h"
#include "vmm/machine/machine.h"
#include "vmm/machine/machine_share.h"
#include "vmm/sched/io_account.h"
#include "vmm/sched/scheduler.h"

namespace carrel {

// What a guest uses of its host.
struct GuestServices {
    Opener& opener;
    Spawner& spawner;
    EventLoop& io;
    Log& log;
    const Clock& clock;
    MachineShare& share;
    Worker& worker;
    sched::Scheduler* scheduler = nullptr;  // null: the guest has no share of the CPUs to be kept to
    sched::LeaseSource* leases = nullptr;   // null: its vCPUs have theirs from the scheduler, if there is one
    const ConsoleLine* line = nullptr;      // null: who attaches to its console is in this process
};

// Of interfaces that have none: once, so that a guest which restarts finds the interfaces that it knows.
Result<void> choose_addresses(MachineConfig& config);

// How a guest's run went, all its machines together.
struct GuestReport {
    MachineEnd end;
    MachineStatistics statistics;  // of the last machine
    uint32_t restarts = 0;
};

// Threads: create() and start() before the io thread runs or on it; all else on the io thread.
class Guest final : public FleetGuest, public ByteReceiver {
  public:
    // One that has its process to itself, and is ready to start. Its last machine stays until the process
    // ends, which takes it apart. `on_finished` is called once, on the io thread.
    static Result<std::unique_ptr<Guest>> create(const MachineConfig& config, const GuestServices& services,
                                                 GuestListener& listener,
                                                 std::function<void(const GuestReport&)> on_finished);
    // One of many, still to be loaded: its console is for those who attach, and its machine goes when it
    // ends.
    static Result<std::unique_ptr<FleetGuest>> create_absent(const MachineConfig& config,
                                                             const GuestServices& services,
                                                             GuestListener& listener);
    Guest(MachineConfig config, GuestConsole::Audience audience, const GuestServices& services,
          GuestListener& listener);  // use these two
    ~Guest() override;
    Guest(const Guest&) = delete;
    Guest& operator=(const Guest&) = delete;

    // --- verbs ---
    // On the worker; the io thread runs.
    void load(Done done) override;
    void start(Done done) override;
    void pause(Done done) override;
    void resume(bool clocks_ran, Done done) override;
    void stop(Nanoseconds patience) override;
    void end(MachineEnd end) override;
    void change(const MachineConfig& config) override;
    // A resource isn't there, and its vCPUs wait for it; it is there again.
    void hold(const std::string& why);
    void release();
    // The worker takes its machine apart.
    void dismantle(std::function<void()> done) override;

    // False: the guest doesn't listen to it now.
    bool press_power_button() { return machine_ && machine_->press_power_button(); }
    // SIGWINCH: the console is as large as its terminal.
    void follow_window();
    // SIGCONT: the whole process stood still.
    void on_process_continued();
    void check_memory() override {
        if (machine_) machine_->check_memory();
    }

    // --- what is ---
    GuestState state() const override;
    const std::string& name() const { return config_.name; }
    GuestInfo info() const override { return {name(), state(), why_, end_, config_}; }
    void stats(std::function<void(Result<GuestStats>)> done) override;
    Result<ConsoleEnds> console_ends() override;
    const MachineConfig& config() const override { return config_; }
    Machine& machine() { return *machine_; }
    const Machine* own_machine() const override { return machine_.get(); }
    GuestConsole& console() { return *console_; }
    bool has_machine() const override { return machine_ != nullptr; }

    // ByteReceiver: the console's input, for whichever machine there is.
    size_t room() override;
    void receive(std::span<const std::byte> bytes) override;

  private:
    static constexpr Nanoseconds kLookAgain = kMillisecond;  // where something doesn't stand yet
    enum class Life : uint8_t { kLoading, kCreated, kRunning, kEnded };

    static Result<std::unique_ptr<Guest>> make(const MachineConfig& config, GuestConsole::Audience audience,
                                               const GuestServices& services, GuestListener& listener);
    MachineServices machine_services();
    void make_machine(Done done);
    Result<void> connect(std::unique_ptr<Machine> machine);
    void tell_machine(const MachineConfig& before);
    GuestStats settled_stats();
    void wait_until_it_stands();
    void end_pausing(Result<void> stands);
    void on_machine_end();
    void wait_for_io(Nanoseconds deadline);
    void leave_machine();
    void restart();
    void finish(MachineEnd end);
    void tell(GuestEvent::Kind kind, const std::string& detail = {}) {
        listener_.on_change(*this, kind, detail);
    }
    void post(std::function<void()> task);
    void set_timer(uint64_t& timer, Nanoseconds delay, MachineEnd end);
    void cancel_timers();

    MachineConfig config_;
    const GuestConsole::Audience audience_;
    GuestServices services_;
    GuestListener& listener_;
    std::function<void(const GuestReport&)> on_finished_;
    std::unique_ptr<GuestConsole> console_;
    std::unique_ptr<Machine> machine_;  // none while it is loaded, and when it has ended
    Life life_ = Life::kLoading;
    bool paused_ = false, held_ = false, stopping_ = false;
    Done pausing_;                    // who asked, until all of it stands
    bool told_pausing_ = false;       // of that: it takes longer
    bool leaving_ = false;            // it has ended, and its disks haven't
    std::string why_;                 // held, stopping or ended
    std::optional<MachineEnd> wish_;  // how it was ended from outside
    std::optional<MachineEnd> end_;   // how it ended
    MachineStatistics past_;          // of a machine that is gone
    Nanoseconds started_ = 0;
    uint64_t timeout_ = 0, patience_ = 0, look_again_ = 0;  // timers; 0: not set
    uint32_t restarts_ = 0;
    const std::shared_ptr<char> alive_ = std::make_shared<char>();
    sched::GuestId scheduled_as_{};                 // where there is a scheduler
    std::shared_ptr<sched::IoAccount> io_account_;  // there, too
};

}  // namespace carrel
