#include "vmm/host/guest_console.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

#include "devices/backends/console_file.h"

namespace carrel {
namespace {

constexpr Nanoseconds kPtyDrainTime = 200 * kMillisecond;

}  // namespace

Result<std::unique_ptr<GuestConsole>> GuestConsole::create(const SerialConfig& config, Audience audience,
                                                           const ConsoleLine* line, EventLoop& io,
                                                           Opener& opener, Log& log) {
    auto console = std::make_unique<GuestConsole>(io, log);
    TRY(audience == Audience::kOwn ? console->open(config, opener)
                                   : console->open_attached(config, line, opener));
    return console;
}

Result<void> GuestConsole::open(const SerialConfig& config, Opener& opener) {
    switch (config.kind) {
        case SerialConfig::Kind::kStdio: return open_stdio();
        case SerialConfig::Kind::kFile: return open_file(config.path, opener);
        case SerialConfig::Kind::kPty: return open_pty(opener);
        case SerialConfig::Kind::kNone: return {};
    }
    return {};
}

// Standard input and output are the process's, so there `stdio` means the same as `none`.
Result<void> GuestConsole::open_attached(const SerialConfig& config, const ConsoleLine* line,
                                         Opener& opener) {
    if (config.kind == SerialConfig::Kind::kPty)
        return usage_error("serial: pty is for a guest that has its process to itself",
                           "leave it out, and attach with carrel ctl console");
    transcript_ = line != nullptr ? line->transcript : std::make_shared<ConsoleTranscript>();
    if (line != nullptr) typed_ = Fd(::fcntl(line->typed, F_DUPFD_CLOEXEC, 3));
    if (config.kind != SerialConfig::Kind::kFile) return {};
    TRY(open_file(config.path, opener));
    tee_.emplace(std::vector<ByteSink*>{transcript_.get(), output_.get()});
    return {};
}

// A closed stdin or stdout is legal: there is nothing to read then, or nobody to write to.
Result<void> GuestConsole::open_stdio() {
    if (auto target = StreamFd::borrow(STDOUT_FILENO, StreamFd::Use::kWrite); target.ok()) {
        TRY_ASSIGN(output_, ConsoleOutput::create(io_, std::move(*target), log_));
    }
    auto source = StreamFd::borrow(STDIN_FILENO, StreamFd::Use::kRead);
    if (!source.ok()) return {};
    source_ = std::move(*source);
    is_stdio_ = true;
    return {};
}

Result<void> GuestConsole::open_file(const std::string& path, Opener& opener) {
    TRY_ASSIGN(StreamFd target, open_console_file(opener, path));
    file_ = Fd(::fcntl(target.fd(), F_DUPFD_CLOEXEC, 3));
    if (!file_.valid()) return os_error(errno, "cannot keep " + path + " open");
    TRY_ASSIGN(output_, ConsoleOutput::create(io_, std::move(target), log_));
    return {};
}

// Its name goes to stderr whatever the log level: without it nobody could attach.
Result<void> GuestConsole::open_pty(Opener& opener) {
    TRY_ASSIGN(pty_, Pty::open(opener));
    log_.write(LogLevel::kError, "the guest's serial port is " + pty_->name());
    TRY_ASSIGN(StreamFd target, pty_->stream());
    TRY_ASSIGN(output_, ConsoleOutput::create(io_, std::move(target), log_));
    TRY_ASSIGN(source_, pty_->stream());
    return {};
}

Result<void> GuestConsole::feed(ByteReceiver& receiver, std::function<void()> on_end_key) {
    if (file_.valid()) empty_before_use(std::exchange(file_, Fd()).get());
    if (typed_.valid()) return read_typed(std::move(typed_), receiver);
    if (!source_) return {};
    // Not before: while files are loaded, Ctrl-C must end us as it ends any program.
    if (is_stdio_) {
        TRY_ASSIGN(terminal_, Terminal::open(STDIN_FILENO, Terminal::is_terminal(STDOUT_FILENO), log_));
    }
    ConsoleInput::Options options;
    options.terminal = terminal_.get();
    options.help = &output();
    options.on_end_key = std::move(on_end_key);
    TRY_ASSIGN(input_, ConsoleInput::create(io_, std::move(*source_), receiver, std::move(options)));
    source_.reset();
    relay_.input = input_.get();
    return {};
}

Result<Fd> GuestConsole::typing(ByteReceiver& receiver) {
    if (!typing_.valid()) {
        int ends[2];
        if (::pipe2(ends, O_CLOEXEC | O_NONBLOCK) != 0) return os_error(errno, "cannot create a pipe");
        Fd reading(ends[0]);
        Fd writing(ends[1]);
        TRY(read_typed(std::move(reading), receiver));
        typing_ = std::move(writing);
    }
    Fd end(::fcntl(typing_.get(), F_DUPFD_CLOEXEC, 3));
    if (!end.valid()) return os_error(errno, "cannot pass on a pipe");
    return end;
}

Result<void> GuestConsole::read_typed(Fd reading, ByteReceiver& receiver) {
    TRY_ASSIGN(StreamFd source, StreamFd::own(std::move(reading)));
    TRY_ASSIGN(input_, ConsoleInput::create(io_, std::move(source), receiver, {}));
    relay_.input = input_.get();
    return {};
}

ByteSink& GuestConsole::output() {
    if (tee_) return *tee_;
    if (transcript_) return *transcript_;
    if (output_) return *output_;
    return nowhere_;
}

RoomListener& GuestConsole::input_room() {
    return relay_;
}

void GuestConsole::on_continue() {
    if (input_) input_->resume();
}

// Nobody may be attached to a pty, so there the wait is short; anywhere else there is a reader, who may be
// slow.
size_t GuestConsole::drain(int stop_fd) {
    const size_t left = output_->drain(pty_ ? kPtyDrainTime : ConsoleOutput::kDrainTime, stop_fd);
    if (!pty_) return left;
    pty_->wait_until_read();
    return 0;
}

void GuestConsole::finish(int stop_fd) {
    relay_.input = nullptr;
    input_.reset();
    const size_t left = output_ ? drain(stop_fd) : 0;
    terminal_.reset();  // before we say anything: whoever reads that may be stuck
    if (left != 0) log_.warning("{} bytes of console output were never read", left);
}

}  // namespace carrel
