#include "vmm/host/guest.h"

namespace carrel {
namespace {

// The file that is about to be emptied.
Result<void> check_serial_file(const MachineConfig& config, Opener& opener) {
    if (config.serial.kind != SerialConfig::Kind::kFile) return {};
    const auto refused_as = [&](const char* what) {
        return usage_error("--serial: file:" + config.serial.path + " is " + what,
                           "name another file for its output");
    };
    for (const std::string& input : {config.boot.kernel, config.boot.initrd}) {
        if (same_file(opener, config.serial.path, input)) return refused_as("what the guest is booted from");
    }
    for (const DiskConfig& disk : config.disks) {
        if (same_file(opener, config.serial.path, disk.path)) return refused_as("a disk of the guest");
    }
    return {};
}

// Once, so that a guest which restarts finds the interfaces that it knows.
Result<void> choose_addresses(MachineConfig& config) {
    for (NetConfig& net : config.nets) {
        if (net.mac) continue;
        TRY_ASSIGN(net.mac, random_mac());
    }
    return {};
}

}  // namespace

Result<std::unique_ptr<Guest>> Guest::create(const MachineConfig& config, const GuestServices& services,
                                             std::function<void(const GuestReport&)> on_finished) {
    TRY(check(config));
    TRY(check_serial_file(config, services.opener));
    MachineConfig complete = config;
    TRY(choose_addresses(complete));
    auto guest = std::make_unique<Guest>(std::move(complete), services, std::move(on_finished));
    TRY_ASSIGN(guest->console_,
               GuestConsole::create(config.serial, services.io, services.opener, services.log));
    TRY(guest->make_machine());
    return guest;
}

Guest::Guest(MachineConfig config, const GuestServices& services,
             std::function<void(const GuestReport&)> on_finished)
    : config_(std::move(config)), services_(services), on_finished_(std::move(on_finished)) {
    if (services_.scheduler != nullptr) scheduled_as_ = services_.scheduler->add_guest(config_.cpu_quota);
}

Guest::~Guest() {
    machine_.reset();  // its vCPUs' places
    if (services_.scheduler != nullptr) services_.scheduler->remove_guest(scheduled_as_);
}

Result<void> Guest::make_machine() {
    // A guest that never starts again has its kernel unpacked straight into its memory.
    const bool again = config_.on_reboot == OnReboot::kRestart;
    const MachineServices services{services_.opener,
                                   services_.spawner,
                                   services_.io,
                                   services_.log,
                                   services_.clock,
                                   console_->output(),
                                   console_->input_room(),
                                   services_.share.switches,
                                   again ? &services_.share.kernels : nullptr,
                                   services_.scheduler,
                                   scheduled_as_,
                                   [this] { services_.io.post([this] { on_machine_end(); }); }};
    TRY_ASSIGN(machine_, Machine::create(config_, services));
    follow_window();
    return {};
}

Result<void> Guest::start() {
    TRY(console_->feed(*this, [this] { end(MachineEnd{EndReason::kUser, "ended with Ctrl-A x"}); }));
    follow_window();
    if (config_.timeout) {
        timeout_ = services_.io.after(*config_.timeout, [this] {
            timeout_ = 0;
            end(MachineEnd{EndReason::kTimeout, "timed out after " + duration_text(*config_.timeout)});
        });
    }
    return machine_->start();
}

void Guest::on_machine_end() {
    machine_->stop();
    MachineEnd end = machine_->ended().value_or(MachineEnd{});
    // A guest that resets at the same moment isn't started again.
    if (wish_ && end.reason == EndReason::kReset && config_.on_reboot == OnReboot::kRestart) end = *wish_;
    const bool again = end.reason == EndReason::kReset && config_.on_reboot == OnReboot::kRestart;
    if (!again) return finish(std::move(end));
    if (auto restarted = restart(); !restarted.ok()) {
        finish(MachineEnd{EndReason::kHostFailure, restarted.error().sentence()});
    }
}

Result<void> Guest::restart() {
    ++restarts_;
    machine_.reset();  // its memory first: two at once may be more than the host has
    TRY(make_machine());
    return machine_->start();
}

// Once: a restart that failed halfway may leave a machine that ends later.
void Guest::finish(MachineEnd end) {
    if (std::exchange(finished_, true)) return;
    if (timeout_ != 0) services_.io.cancel(std::exchange(timeout_, 0));
    GuestReport report{std::move(end), {}, restarts_};
    if (machine_) report.statistics = machine_->statistics();
    on_finished_(report);
}

void Guest::end(MachineEnd end) {
    if (!wish_) wish_ = end;
    if (machine_) machine_->end(std::move(end));
}

void Guest::follow_window() {
    if (const auto size = console_->window(); size && machine_) machine_->resize_console(*size);
}

void Guest::on_process_continued() {
    if (!machine_ || machine_->ended() || machine_->paused()) return;
    if (machine_->pause().ok()) (void)machine_->resume(true).ok();
}

size_t Guest::room() {
    return machine_ ? machine_->room() : 0;
}

void Guest::receive(std::span<const std::byte> bytes) {
    if (machine_) machine_->receive(bytes);
}

}  // namespace carrel
