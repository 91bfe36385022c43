// Guest: one machine, again and again where its configuration says so, and the console that outlives each of
// them.
#pragma once

#include <functional>
#include <memory>
#include <optional>

#include "vmm/host/guest_console.h"
#include "vmm/host/guest_event.h"
#include "vmm/host/guest_stats.h"
#include "vmm/host/worker.h"
#include "vmm/machine/machine.h"
#include "vmm/machine/machine_share.h"
#include "vmm/sched/io_account.h"

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
};

// How a guest's run went, all its machines together.
struct GuestReport {
    MachineEnd end;
    MachineStatistics statistics;  // of the last machine
    uint32_t restarts = 0;
};

class Guest;

// What a guest tells its host: on the io thread, the change being done. Don't destroy the guest inside.
class GuestListener {
  public:
    virtual ~GuestListener() = default;
    virtual void on_change(Guest& guest, GuestEvent::Kind kind, const std::string& detail) = 0;
};

// Threads: create() and start() before the io thread runs or on it; all else on the io thread. Whether a verb
// makes sense in the state is asked before (verb_table.h).
class Guest final : public ByteReceiver {
  public:
    using Done = std::function<void(Result<void>)>;

    // One that has its process to itself, and is ready to start. Its last machine stays until the process
    // ends, which takes it apart. `on_finished` is called once, on the io thread.
    static Result<std::unique_ptr<Guest>> create(const MachineConfig& config, const GuestServices& services,
                                                 GuestListener& listener,
                                                 std::function<void(const GuestReport&)> on_finished);
    // One of many, still to be loaded: its console is for those who attach, and its machine goes when it
    // ends.
    static Result<std::unique_ptr<Guest>> create_absent(const MachineConfig& config,
                                                        const GuestServices& services,
                                                        GuestListener& listener);
    Guest(MachineConfig config, GuestConsole::Audience audience, const GuestServices& services,
          GuestListener& listener);  // use these two
    ~Guest() override;
    Guest(const Guest&) = delete;
    Guest& operator=(const Guest&) = delete;

    // --- verbs ---
    // Makes its machine, on the worker; the io thread runs. `done` is told on it.
    void load(Done done);
    Result<void> start();
    Result<void> pause();
    Result<void> resume(bool clocks_ran = false);  // it goes on even where its clocks couldn't be set
    // Presses the power button, and ends the run where that hasn't within `patience`.
    void stop(Nanoseconds patience);
    // Ends the run, whatever its machine does meanwhile.
    void end(MachineEnd end);
    // Of what may change while it has a machine, that machine is told.
    void change(const MachineConfig& config);
    // A resource isn't there, and its vCPUs wait for it; it is there again.
    void hold(const std::string& why);
    void release();
    // It doesn't run: gives its machine to the worker to take apart, then calls `done` on the io thread.
    void dismantle(std::function<void()> done);

    // False: the guest doesn't listen to it now.
    bool press_power_button() { return machine_ && machine_->press_power_button(); }
    // SIGWINCH: the console is as large as its terminal.
    void follow_window();
    // SIGCONT: the whole process stood still.
    void on_process_continued();
    void check_memory() {
        if (machine_) machine_->check_memory();
    }

    // --- what is ---
    GuestState state() const;
    const std::string& name() const { return config_.name; }
    GuestInfo info() const { return {name(), state(), why_, end_, config_}; }
    // First settle(), then, VcpuSampler::kSettle later, stats().
    void settle() {
        if (machine_) machine_->settle_vcpus();
    }
    GuestStats stats();
    const MachineConfig& config() const { return config_; }
    Machine& machine() { return *machine_; }
    const Machine& machine() const { return *machine_; }
    GuestConsole& console() { return *console_; }
    bool has_machine() const { return machine_ != nullptr; }

    // ByteReceiver: the console's input, for whichever machine there is.
    size_t room() override;
    void receive(std::span<const std::byte> bytes) override;

  private:
    enum class Life : uint8_t { kLoading, kCreated, kRunning, kEnded };

    static Result<std::unique_ptr<Guest>> make(const MachineConfig& config, GuestConsole::Audience audience,
                                               const GuestServices& services, GuestListener& listener);
    MachineServices machine_services();
    void make_machine(Done done);
    Result<void> connect(std::unique_ptr<Machine> machine);
    void tell_machine(const MachineConfig& before);
    void on_machine_end();
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
    std::string why_;                 // held, stopping or ended
    std::optional<MachineEnd> wish_;  // how it was ended from outside
    std::optional<MachineEnd> end_;   // how it ended
    MachineStatistics past_;          // of a machine that is gone
    Nanoseconds started_ = 0;
    uint64_t timeout_ = 0, patience_ = 0;  // timers; 0: not set
    uint32_t restarts_ = 0;
    const std::shared_ptr<char> alive_ = std::make_shared<char>();
    sched::GuestId scheduled_as_{};                 // where there is a scheduler
    std::shared_ptr<sched::IoAccount> io_account_;  // there, too
};

}  // namespace carrel
