#include "vmm/host/guest.h"

#include <utility>

#include "vmm/host/verb_table.h"

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

}  // namespace

Result<void> choose_addresses(MachineConfig& config) {
    for (NetConfig& net : config.nets) {
        if (net.mac) continue;
        TRY_ASSIGN(net.mac, random_mac());
    }
    return {};
}

Result<std::unique_ptr<Guest>> Guest::make(const MachineConfig& config, GuestConsole::Audience audience,
                                           const GuestServices& services, GuestListener& listener) {
    TRY(check(config));
    TRY(check_serial_file(config, services.opener));
    MachineConfig complete = config;
    TRY(choose_addresses(complete));
    auto guest = std::make_unique<Guest>(std::move(complete), audience, services, listener);
    TRY_ASSIGN(guest->console_, GuestConsole::create(config.serial, audience, services.line, services.io,
                                                     services.opener, services.log));
    return guest;
}

Result<std::unique_ptr<Guest>> Guest::create(const MachineConfig& config, const GuestServices& services,
                                             GuestListener& listener,
                                             std::function<void(const GuestReport&)> on_finished) {
    TRY_ASSIGN(auto guest, make(config, GuestConsole::Audience::kOwn, services, listener));
    guest->on_finished_ = std::move(on_finished);
    TRY_ASSIGN(guest->machine_, Machine::create(guest->config_, guest->machine_services()));
    guest->follow_window();
    guest->life_ = Life::kCreated;
    return guest;
}

Result<std::unique_ptr<FleetGuest>> Guest::create_absent(const MachineConfig& config,
                                                         const GuestServices& services,
                                                         GuestListener& listener) {
    TRY_ASSIGN(std::unique_ptr<FleetGuest> guest,
               make(config, GuestConsole::Audience::kAttached, services, listener));
    return guest;
}

Guest::Guest(MachineConfig config, GuestConsole::Audience audience, const GuestServices& services,
             GuestListener& listener)
    : config_(std::move(config)), audience_(audience), services_(services), listener_(listener) {
    if (services_.scheduler != nullptr) {
        scheduled_as_ = services_.scheduler->add_guest(config_.cpu_quota);
        services_.leases = services_.scheduler;
    }
    if (services_.leases != nullptr)
        io_account_ = std::make_shared<sched::IoAccount>(*services_.leases, scheduled_as_);
}

Guest::~Guest() {
    cancel_timers();
    machine_.reset();  // its vCPUs' places
    if (io_account_) io_account_->close();
    if (services_.scheduler != nullptr) services_.scheduler->remove_guest(scheduled_as_);
}

MachineServices Guest::machine_services() {
    // A guest that never starts again has its kernel unpacked straight into its memory.
    const bool again =
        config_.on_reboot == OnReboot::kRestart || audience_ == GuestConsole::Audience::kAttached;
    return MachineServices{services_.opener,
                           services_.spawner,
                           services_.io,
                           services_.log,
                           services_.clock,
                           console_->output(),
                           console_->input_room(),
                           services_.share.switches,
                           services_.share.disks,
                           services_.share.mappings,
                           again ? &services_.share.kernels : nullptr,
                           services_.leases,
                           scheduled_as_,
                           io_account_,
                           [this] { post([this] { on_machine_end(); }); },
                           [this](const std::optional<std::string>& why) {
                               post([this, why] { why ? hold(*why) : release(); });
                           }};
}

// A machine's words may come when its guest has gone.
void Guest::post(std::function<void()> task) {
    services_.io.post([alive = std::weak_ptr(alive_), task = std::move(task)] {
        if (!alive.expired()) task();
    });
}

// What takes long happens on the worker; nobody else knows the machine until it is back.
void Guest::make_machine(Done done) {
    auto opened = Machine::open(config_, machine_services());
    if (!opened.ok()) return done(std::move(opened).error());
    struct Loading {
        std::unique_ptr<Machine> machine;
        Result<void> result;
    };
    const auto loading = std::make_shared<Loading>(Loading{std::move(*opened), {}});
    auto begun = services_.worker.run([loading] { loading->result = loading->machine->load(); },
                                      [this, loading, done] {
                                          if (loading->result.ok())
                                              loading->result = connect(std::move(loading->machine));
                                          done(std::move(loading->result));
                                      });
    if (!begun.ok()) done(std::move(begun));
}

Result<void> Guest::connect(std::unique_ptr<Machine> machine) {
    TRY(machine->connect());
    machine_ = std::move(machine);
    follow_window();
    return {};
}

void Guest::load(Done done) {
    life_ = Life::kLoading;
    end_.reset();
    wish_.reset();
    why_.clear();
    restarts_ = 0;
    tell(GuestEvent::Kind::kLoading);
    make_machine([this, done = std::move(done)](Result<void> made) {
        if (!made.ok()) {
            finish(MachineEnd{EndReason::kHostFailure, made.error().sentence()});
        } else {
            life_ = Life::kCreated;
            tell(GuestEvent::Kind::kCreated);
        }
        done(std::move(made));
    });
}

void Guest::start(Done done) {
    auto fed = console_->feed(*this, [this] { end(MachineEnd{EndReason::kUser, "ended with Ctrl-A x"}); });
    if (!fed.ok()) return done(std::move(fed));
    follow_window();
    if (config_.timeout)
        set_timer(timeout_, *config_.timeout,
                  MachineEnd{EndReason::kTimeout, "timed out after " + duration_text(*config_.timeout)});
    started_ = services_.clock.now();
    life_ = Life::kRunning;
    auto started = machine_->start();
    if (started.ok())
        tell(GuestEvent::Kind::kStarted);
    else
        end(MachineEnd{EndReason::kHostFailure, started.error().sentence()});
    done(std::move(started));
}

void Guest::stop(Nanoseconds patience) {
    stopping_ = true;
    why_ = press_power_button() ? "its power button was pressed"
                                : "its power button was pressed, which it doesn't listen to now";
    const std::string late = "it didn't power off within " + duration_text(patience) + " of a stop";
    set_timer(patience_, patience, MachineEnd{EndReason::kUser, late});
    tell(GuestEvent::Kind::kStopping, why_);
}

void Guest::end(MachineEnd end) {
    if (!wish_) wish_ = end;
    if (machine_) machine_->end(std::move(end));
}

void Guest::change(const MachineConfig& config) {
    const MachineConfig before = std::exchange(config_, config);
    if (services_.scheduler != nullptr && !(config_.cpu_quota == before.cpu_quota))
        services_.scheduler->set_quota(scheduled_as_, config_.cpu_quota);
    if (machine_) tell_machine(before);
    tell(GuestEvent::Kind::kChanged);
}

void Guest::tell_machine(const MachineConfig& before) {
    if (config_.memory_quota && config_.memory_quota != before.memory_quota)
        machine_->set_memory_quota(*config_.memory_quota);
    if (config_.balloon && config_.balloon != before.balloon) machine_->set_balloon(config_.balloon->size);
    for (size_t i = 0; i < config_.disks.size(); ++i) {
        const RateConfig& rate = config_.disks[i].rate;
        if (!(rate == before.disks[i].rate)) machine_->set_disk_rate(i, rate);
    }
    for (size_t i = 0; i < config_.nets.size(); ++i) {
        const RateConfig& rate = config_.nets[i].rate;
        if (!(rate == before.nets[i].rate)) machine_->set_net_rate(i, rate);
    }
}

void Guest::hold(const std::string& why) {
    if (life_ != Life::kRunning || std::exchange(held_, true)) return;
    why_ = why;
    tell(GuestEvent::Kind::kHeld, why);
}

void Guest::release() {
    if (!std::exchange(held_, false)) return;
    why_.clear();
    tell(GuestEvent::Kind::kReleased);
}

void Guest::dismantle(std::function<void()> done) {
    if (machine_) machine_->take_apart();
    const auto handed = services_.worker.run([gone = std::shared_ptr<Machine>(std::move(machine_))] {}, done);
    if (!handed.ok() && done) done();  // it has gone here
}

void Guest::leave_machine() {
    if (std::exchange(leaving_, false)) why_.clear();
    MachineEnd end = machine_->ended().value_or(MachineEnd{});
    // A guest that resets at the same moment isn't started again.
    if (wish_ && end.reason == EndReason::kReset && config_.on_reboot == OnReboot::kRestart) end = *wish_;
    const bool again = end.reason == EndReason::kReset && config_.on_reboot == OnReboot::kRestart;
    again ? restart() : finish(std::move(end));
}

// The old one's memory goes first: two at once may be more than the host has.
void Guest::restart() {
    ++restarts_;
    life_ = Life::kLoading;
    paused_ = held_ = false;
    dismantle({});
    make_machine([this](Result<void> made) {
        if (made.ok() && wish_) return finish(*wish_);
        if (made.ok()) made = machine_->start();
        if (!made.ok()) return finish(MachineEnd{EndReason::kHostFailure, made.error().sentence()});
        life_ = Life::kRunning;
        tell(GuestEvent::Kind::kRestarted);
    });
}

// Once: a restart that failed halfway may leave a machine that ends later.
void Guest::finish(MachineEnd end) {
    if (std::exchange(life_, Life::kEnded) == Life::kEnded) return;
    cancel_timers();
    paused_ = held_ = stopping_ = false;
    if (machine_) past_ = machine_->statistics();
    end_ = std::move(end);
    why_ = std::string(end_words(end_->reason)) + (end_->detail.empty() ? "" : ": " + end_->detail);
    if (audience_ == GuestConsole::Audience::kAttached) dismantle({});
    tell(GuestEvent::Kind::kEnded, why_);
    if (on_finished_) on_finished_(GuestReport{*end_, past_, restarts_});
}

void Guest::set_timer(uint64_t& timer, Nanoseconds delay, MachineEnd end) {
    timer = services_.io.after(delay, [this, &timer, end = std::move(end)] {
        timer = 0;
        this->end(end);
    });
}

void Guest::cancel_timers() {
    for (uint64_t* const timer : {&timeout_, &patience_, &look_again_})
        if (*timer != 0) services_.io.cancel(std::exchange(*timer, 0));
}

void Guest::follow_window() {
    if (const auto size = console_->window(); size && machine_) machine_->resize_console(*size);
}

void Guest::on_process_continued() {
    if (machine_ && life_ == Life::kRunning && !machine_->ended() && !paused_) machine_->tell_stood();
}

GuestState Guest::state() const {
    switch (life_) {
        case Life::kLoading: return GuestState::kLoading;
        case Life::kCreated: return GuestState::kCreated;
        case Life::kEnded: return GuestState::kEnded;
        case Life::kRunning: break;
    }
    if (stopping_ || leaving_) return GuestState::kStopping;
    if (told_pausing_) return GuestState::kPausing;
    if (paused_) return GuestState::kPaused;
    return held_ ? GuestState::kHeld : GuestState::kRunning;
}

void Guest::stats(std::function<void(Result<GuestStats>)> done) {
    if (machine_) machine_->settle_vcpus();
    services_.io.after(VcpuSampler::kSettle,
                       [this, alive = std::weak_ptr(alive_), name = name(), done = std::move(done)] {
                           if (alive.expired())
                               return done(may(Verb::kShow, name, GuestState::kAbsent).error());
                           done(settled_stats());
                       });
}

Result<ConsoleEnds> Guest::console_ends() {
    TRY_ASSIGN(Fd typing, console_->typing(*this));
    return ConsoleEnds{console_->transcript(), std::move(typing)};
}

GuestStats Guest::settled_stats() {
    GuestStats stats;
    stats.time = services_.clock.wall();
    stats.restarts = restarts_;
    stats.machine = past_;
    if (services_.scheduler != nullptr) stats.io = services_.scheduler->guest(scheduled_as_).used_io;
    if (life_ != Life::kRunning) return stats;
    stats.up = services_.clock.now() - started_;
    if (!machine_) return stats;
    stats.machine = machine_->statistics();
    for (const uint64_t exits : machine_->vcpu_exits()) stats.vcpus.push_back({exits, {}});
    const auto samples = machine_->sample_vcpus();
    for (size_t i = 0; i < samples.size(); ++i) stats.vcpus[i].sample = samples[i];
    return stats;
}

size_t Guest::room() {
    return machine_ ? machine_->room() : 0;
}

void Guest::receive(std::span<const std::byte> bytes) {
    if (machine_) machine_->receive(bytes);
}

}  // namespace carrel
