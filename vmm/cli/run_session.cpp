#include "vmm/cli/run_session.h"

#include <fmt/core.h>
#include <sys/epoll.h>

#include <csignal>
#include <cstring>

#include "vmm/base/crash_registry.h"
#include "vmm/base/host_cpus.h"
#include "vmm/base/signals.h"
#include "vmm/cli/exit_status.h"
#include "vmm/cli/load_watch.h"
#include "vmm/cli/say.h"
#include "vmm/cli/statistics_text.h"

namespace carrel::cli {
namespace {

constexpr Nanoseconds kPowerButtonPatience = 10 * kSecond;

}  // namespace

RunSession::RunSession(const MachineConfig& config, LogLevel level, bool verbose)
    : config_(config), verbose_(verbose), log_(STDERR_FILENO, level) {}

RunSession::~RunSession() = default;

int RunSession::run() {
    if (const auto ready = set_up(); !ready.ok()) return refuse(ready.error());
    tell_start();
    if (const auto started = start(); !started.ok()) return refuse(started.error());
    main_loop_->run();
    host_->stop_io();
    guest_->console().finish(end_signals_->fd());
    const int status = report(*report_);
    host_->defer_teardown();
    return status;
}

Result<void> RunSession::set_up() {
    std::signal(SIGPIPE, SIG_IGN);  // a closed pipe is the console's business,
    std::signal(SIGXFSZ, SIG_IGN);  // and so is a file that may not grow
    crash_registry::install_crash_handlers();
    const LoadWatch watch(config_.timeout);
    TRY_ASSIGN(main_loop_, EventLoop::create(clock_));
    signals::block_terminal_signals();
    TRY_ASSIGN(signals_, take({SIGTSTP, SIGCONT, SIGWINCH}));
    TRY_ASSIGN(host_, Host::create({}, opener_, spawner_, log_, clock_));
    if (config_.cpu_quota != CpuQuota{}) TRY(host_->start_scheduler({.cpus = count_usable_cpus({})}));
    TRY_ASSIGN(guest_, host_->fleet().add(config_, [this](const GuestReport& report) {
        main_loop_->post([this, report] { report_ = report; });
        main_loop_->stop();
    }));
    TRY_ASSIGN(end_signals_, take({SIGTERM, SIGINT, SIGHUP}));
    return {};
}

Result<void> RunSession::start() {
    Result<void> started;
    guest_->start([&started](Result<void> result) { started = std::move(result); });
    TRY(started);
    return host_->start();
}

Result<std::unique_ptr<SignalWatch>> RunSession::take(std::initializer_list<int> numbers) {
    return SignalWatch::create(*main_loop_, numbers, [this](int number) { on_signal(number); });
}

void RunSession::on_signal(int number) {
    switch (number) {
        case SIGTERM:
        case SIGINT:
        case SIGHUP: return ask_to_end(number);
        case SIGTSTP: return suspend();
        case SIGCONT: return resume();
        case SIGWINCH: return host_->post([this] { guest_->follow_window(); });
        default: return;
    }
}

// The first one is a wish that the guest may follow, the second one isn't.
void RunSession::ask_to_end(int number) {
    const std::string name = std::string("SIG") + ::sigabbrev_np(number);
    if (asked_) return end_guest("ended by a second signal (" + name + ")");
    asked_ = true;
    host_->post([this, name] {
        const char* const heard = guest_->press_power_button() ? "" : " (the guest doesn't listen to it now)";
        log_.warning("{}: power button pressed{}; a second signal, or 10 s, ends the guest", name, heard);
    });
    main_loop_->after(kPowerButtonPatience,
                      [this, name] { end_guest("didn't power off within 10 s of " + name); });
}

void RunSession::end_guest(std::string why) {
    host_->post([this, why = std::move(why)] { guest_->end(MachineEnd{EndReason::kUser, why}); });
}

void RunSession::suspend() {
    if (auto* const terminal = guest_->console().terminal(); terminal != nullptr) terminal->suspend();
    ::kill(::getpid(), SIGSTOP);
    // The first process of a namespace can't be stopped: then we are here at once, with the terminal given
    // away.
    if (::getpid() == 1) resume();
}

void RunSession::resume() {
    if (auto* const terminal = guest_->console().terminal(); terminal != nullptr) terminal->resume();
    guest_->console().on_continue();
    host_->post([this] { guest_->on_process_continued(); });
}

// By the log, which knows that the terminal is raw by now; as errors, because -v asks for it at every level.
void RunSession::tell_start() {
    if (!verbose_) return;
    const Machine& machine = guest_->machine();
    log_.write(LogLevel::kError, machine.boot_result().format);
    log_.write(LogLevel::kError, "command line: " + machine.cmdline());
    for (const std::string& note : machine.boot_result().notes) log_.write(LogLevel::kError, note);
}

int RunSession::report(const GuestReport& report) {
    const EndReason reason =
        asked_ && report.end.reason == EndReason::kPowerOff ? EndReason::kUser : report.end.reason;
    const bool quiet = reason == EndReason::kPowerOff || reason == EndReason::kReset;
    if (!quiet || verbose_) {
        say(fmt::format("{}{}{}", end_words(report.end.reason), report.end.detail.empty() ? "" : ": ",
                        report.end.detail));
    }
    if (verbose_) {
        for (const std::string& line : statistics_lines(report.statistics)) say(line);
    }
    return exit_status(reason);
}

int RunSession::refuse(const Error& error) {
    host_.reset();  // gives the terminal back
    say(error.sentence());
    return exit_status(error);
}

}  // namespace carrel::cli
