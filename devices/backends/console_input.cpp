#include "devices/backends/console_input.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <utility>

namespace carrel {
namespace {

constexpr size_t kReadAtOnce = 4096;
constexpr int kReadsPerTurn = 16;  // other descriptors of the loop want their turn
// A shell that takes a running job to the foreground sends no signal, so in the background we ask.
constexpr Nanoseconds kForegroundCheck = 250 * kMillisecond;
// A guest that takes no byte for this long is taken to be stuck.
constexpr Nanoseconds kStuckAfter = kSecond;

}  // namespace

Result<std::unique_ptr<ConsoleInput>> ConsoleInput::create(EventLoop& loop, StreamFd source,
                                                           ByteReceiver& receiver, Options options) {
    auto input = std::make_unique<ConsoleInput>(loop, std::move(source), receiver, std::move(options));
    ConsoleInput* raw = input.get();
    TRY_ASSIGN(input->wake_, LoopSignal::create(loop, [raw] { raw->pump(); }));
    TRY_ASSIGN(input->continue_, LoopSignal::create(loop, [raw] { raw->check_foreground(); }));
    raw->continue_->raise();  // the first turn: a source may have ended before anybody waited for it
    return input;
}

ConsoleInput::ConsoleInput(EventLoop& loop, StreamFd source, ByteReceiver& receiver, Options options)
    : loop_(loop), source_(std::move(source)), receiver_(receiver), options_(std::move(options)) {}

ConsoleInput::~ConsoleInput() {
    stop_watching();
    if (timer_ != 0) loop_.cancel(timer_);
}

// One turn: give what is there, read what may be read, and decide what to wait for.
void ConsoleInput::pump() {
    feed();
    int reads = 0;
    while (may_read() && reads < kReadsPerTurn && read_once()) ++reads;
    if (ended_ || background_) return;
    if (!may_read()) {
        wait_for_guest();
    } else if (source_.pollable()) {
        watch();
    } else if (reads == kReadsPerTurn) {
        wake_->raise();
    }
}

bool ConsoleInput::may_read() const {
    return !ended_ && !background_ && (stuck_ || pending() < limit());
}

void ConsoleInput::feed() {
    while (pending() != 0) {
        const size_t count = std::min(receiver_.room(), pending());
        if (count == 0) return;
        receiver_.receive(std::span<const std::byte>(pending_).subspan(fed_, count));
        fed_ += count;
        stuck_ = false;
    }
    pending_.clear();
    fed_ = 0;
}

// True when there may be more to read at once.
bool ConsoleInput::read_once() {
    std::array<std::byte, kReadAtOnce> buffer;
    const StreamFd::Outcome outcome = source_.read(buffer);
    if (outcome.error != 0) {
        read_failed(outcome.error);
        return false;
    }
    if (outcome.count == 0) {
        end();
        return false;
    }
    accept(std::span<const std::byte>(buffer).first(outcome.count));
    feed();
    return outcome.count == buffer.size() || !source_.pollable();
}

void ConsoleInput::read_failed(int error) {
    if (error == EAGAIN) return;
    // With SIGTTIN blocked, this is how a terminal refuses a background job.
    if (error == EIO && options_.terminal != nullptr && !options_.terminal->in_foreground()) {
        wait_for_foreground();
    } else {
        end();
    }
}

void ConsoleInput::accept(std::span<const std::byte> bytes) {
    pending_.erase(pending_.begin(), pending_.begin() + static_cast<ptrdiff_t>(fed_));
    fed_ = 0;
    if (options_.terminal == nullptr) {
        pending_.insert(pending_.end(), bytes.begin(), bytes.end());
        return;
    }
    for (const std::byte typed : bytes) {
        const EscapeKeys::Step step = keys_.take(typed);
        if (stuck_) {
            discarded_ += step.count;
        } else {
            pending_.insert(pending_.end(), step.send.begin(), step.send.begin() + step.count);
        }
        act(step.action);
    }
}

void ConsoleInput::act(EscapeKeys::Action action) {
    if (action == EscapeKeys::Action::kEnd && options_.on_end_key) options_.on_end_key();
    if (action == EscapeKeys::Action::kHelp && options_.help != nullptr) {
        options_.help->write(std::as_bytes(std::span(EscapeKeys::kHelp)));
    }
}

// Watched only while we would read: a hung-up descriptor is "ready" whatever is asked for.
void ConsoleInput::watch() {
    if (watching_) return;
    watching_ = true;
    if (!loop_.watch(source_.fd(), EPOLLIN, [this](uint32_t) { pump(); })) end();
}

void ConsoleInput::stop_watching() {
    if (std::exchange(watching_, false)) loop_.unwatch(source_.fd());
}

void ConsoleInput::wait_for_guest() {
    stop_watching();
    if (options_.terminal == nullptr) return;  // on_room() goes on
    after(kStuckAfter, [this] {
        stuck_ = pending() >= limit();
        pump();
    });
}

void ConsoleInput::check_foreground() {
    background_ = false;
    if (options_.terminal != nullptr && !ended_ && !options_.terminal->resume()) {
        wait_for_foreground();
    } else {
        pump();
    }
}

void ConsoleInput::wait_for_foreground() {
    background_ = true;
    stop_watching();
    after(kForegroundCheck, [this] { check_foreground(); });
}

void ConsoleInput::after(Nanoseconds delay, std::function<void()> task) {
    if (timer_ != 0) loop_.cancel(timer_);
    timer_ = loop_.after(delay, [this, work = std::move(task)] {
        timer_ = 0;
        work();
    });
}

void ConsoleInput::end() {
    stop_watching();
    ended_ = true;
    if (options_.on_end_of_source) options_.on_end_of_source();
}

}  // namespace carrel
