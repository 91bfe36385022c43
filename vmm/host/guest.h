// Guest: one machine, again and again where its configuration says so, and the console that outlives each of
// them.
#pragma once

#include <functional>
#include <memory>
#include <optional>

#include "vmm/host/guest_console.h"
#include "vmm/machine/machine.h"
#include "vmm/machine/machine_share.h"

namespace carrel {

// What a guest uses of its host.
struct GuestServices {
    Opener& opener;
    Spawner& spawner;
    EventLoop& io;
    Log& log;
    const Clock& clock;
    MachineShare& share;
    sched::Scheduler* scheduler = nullptr;  // null: the guest has no share of the CPUs to be kept to
};

// How a guest's run went, all its machines together.
struct GuestReport {
    MachineEnd end;
    MachineStatistics statistics;  // of the last machine
    uint32_t restarts = 0;
};

// Threads: create() and start() before the io thread runs or on it; all else on the io thread.
class Guest final : public ByteReceiver {
  public:
    // `on_finished` is called once, on the io thread; don't destroy the guest inside.
    static Result<std::unique_ptr<Guest>> create(const MachineConfig& config, const GuestServices& services,
                                                 std::function<void(const GuestReport&)> on_finished);
    Guest(MachineConfig config, const GuestServices& services,
          std::function<void(const GuestReport&)> on_finished);
    ~Guest() override;
    Guest(const Guest&) = delete;
    Guest& operator=(const Guest&) = delete;

    Result<void> start();
    // False: the guest doesn't listen to it now.
    bool press_power_button() { return machine_ && machine_->press_power_button(); }
    // Ends the run, whatever its machine does meanwhile.
    void end(MachineEnd end);
    // SIGWINCH: the console is as large as its terminal.
    void follow_window();
    // SIGCONT: the whole process stood still.
    void on_process_continued();
    void check_memory() {
        if (machine_) machine_->check_memory();
    }

    const MachineConfig& config() const { return config_; }
    const Machine& machine() const { return *machine_; }
    GuestConsole& console() { return *console_; }
    bool has_machine() const { return machine_ != nullptr; }

    // ByteReceiver: the console's input, for whichever machine there is.
    size_t room() override;
    void receive(std::span<const std::byte> bytes) override;

  private:
    Result<void> make_machine();
    void on_machine_end();
    Result<void> restart();
    void finish(MachineEnd end);

    MachineConfig config_;
    GuestServices services_;
    std::function<void(const GuestReport&)> on_finished_;
    std::unique_ptr<GuestConsole> console_;
    std::unique_ptr<Machine> machine_;  // none for the moment of a failed restart
    std::optional<MachineEnd> wish_;    // how it was ended from outside
    bool finished_ = false;
    uint64_t timeout_ = 0;
    uint32_t restarts_ = 0;
    sched::GuestId scheduled_as_{};  // where there is a scheduler
};

}  // namespace carrel
