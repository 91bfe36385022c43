#include "vmm/control/connection.h"

#include <sys/epoll.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <utility>

namespace carrel::control {

Connection::~Connection() {
    close();
}

Result<void> Connection::begin() {
    watched_ = EPOLLIN;
    TRY(loop_.watch(fd_.get(), watched_, [this](uint32_t events) { on_ready(events); }));
    restart_timer();
    return {};
}

void Connection::close() {
    if (std::exchange(closed_, true)) return;
    stop_timer();
    loop_.unwatch(fd_.get());
    if (typing_watched_) loop_.unwatch(typing_.get());
    if (transcript_) transcript_->unwatch(*this);
    signal_.reset();
    listener_.on_closed(id_);
}

void Connection::on_ready(uint32_t events) {
    if ((events & EPOLLIN) != 0 && !read_some()) return close();
    if (!closed_ && (events & (EPOLLHUP | EPOLLERR)) != 0) return close();
    if (!closed_) flush();
}

// One piece a turn, so that no client keeps the others waiting. False: he has gone.
bool Connection::read_some() {
    std::array<char, kPiece> buffer;
    const ssize_t count = ::recv(fd_.get(), buffer.data(), buffer.size(), MSG_DONTWAIT);
    if (count < 0) return errno == EAGAIN || errno == EINTR;
    if (count == 0) return false;
    const std::string_view bytes(buffer.data(), static_cast<size_t>(count));
    if (mode_ == Mode::kConsole) {
        type(bytes);
    } else if (mode_ == Mode::kReading) {
        restart_timer();
        reader_.add(bytes);
        take_requests();
    }
    return true;
}

void Connection::take_requests() {
    if (mode_ != Mode::kReading) return;
    auto next = reader_.next();
    if (!next.ok()) {
        keep_alive_ = false;
        mode_ = Mode::kWaiting;
        return answer(
            {Status::kBadRequest, "{\"what\":\"the request can't be read\",\"advice\":\"\"}\n", false});
    }
    if (!next->has_value()) return;
    mode_ = Mode::kWaiting;
    keep_alive_ = (*next)->keep_alive;
    stop_timer();
    update();
    listener_.on_request(id_, std::move(**next));
}

void Connection::answer(const Answer& answer) {
    if (closed_ || mode_ != Mode::kWaiting) return;
    mode_ = keep_alive_ ? Mode::kReading : Mode::kClosing;
    restart_timer();
    send(text_of(answer, keep_alive_));
    if (!closed_) take_requests();  // one may have come behind it
}

void Connection::begin_events() {
    mode_ = Mode::kEvents;
    send(stream_head());
}

void Connection::send_event(const std::string& line) {
    if (mode_ != Mode::kEvents || closed_) return;
    if (out_.size() > kMostUnread) return close();
    send(chunk(line));
}

Result<void> Connection::begin_console(std::string guest, ConsoleEnds ends) {
    TRY_ASSIGN(signal_, LoopSignal::create(loop_, [this] { flush(); }));
    guest_ = std::move(guest);
    transcript_ = std::move(ends.transcript);
    typing_ = std::move(ends.typing);
    mode_ = Mode::kConsole;
    position_ = transcript_->begin();
    transcript_->watch(*this);
    send(switching_head());
    if (!closed_) type(reader_.take_rest());
    return {};
}

void Connection::guest_is_gone(const std::string& guest) {
    if (mode_ != Mode::kConsole || guest_ != guest) return;
    flush();
    close();
}

void Connection::type(std::string_view bytes) {
    typed_ += bytes;
    pass_typed();
    update();
}

// A guest that takes nothing keeps its typist waiting, and nobody else.
void Connection::pass_typed() {
    const ssize_t count = typed_.empty() ? 0 : ::write(typing_.get(), typed_.data(), typed_.size());
    if (count > 0) typed_.erase(0, static_cast<size_t>(count));
    const bool wait = !typed_.empty();
    if (wait && !typing_watched_) {
        typing_watched_ = loop_
                              .watch(typing_.get(), EPOLLOUT,
                                     [this](uint32_t) {
                                         pass_typed();
                                         if (!closed_) update();
                                     })
                              .ok();
    } else if (!wait && typing_watched_) {
        loop_.unwatch(typing_.get());
        typing_watched_ = false;
    }
}

void Connection::send(std::string bytes) {
    out_ += bytes;
    flush();
}

// What the console says is taken as he takes it.
void Connection::refill() {
    std::array<std::byte, kPiece> buffer;
    const auto piece = transcript_->read(position_, buffer);
    position_ = piece.position + piece.size;
    out_.append(reinterpret_cast<const char*>(buffer.data()), piece.size);
}

void Connection::flush() {
    if (closed_) return;
    if (out_.empty() && mode_ == Mode::kConsole) refill();
    if (!out_.empty()) {
        const ssize_t count = ::send(fd_.get(), out_.data(), out_.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
        if (count < 0 && errno != EAGAIN && errno != EINTR) return close();
        if (count > 0) {
            out_.erase(0, static_cast<size_t>(count));
            if (timer_ != 0) restart_timer();
        }
    }
    if (out_.empty() && mode_ == Mode::kClosing) return close();
    if (out_.empty() && mode_ == Mode::kConsole) refill();
    update();
}

void Connection::update() {
    if (closed_) return;
    const bool takes =
        mode_ == Mode::kReading || mode_ == Mode::kEvents || (mode_ == Mode::kConsole && typed_.empty());
    const uint32_t wanted = (takes ? uint32_t{EPOLLIN} : 0) | (out_.empty() ? 0 : uint32_t{EPOLLOUT});
    if (std::exchange(watched_, wanted) != wanted) loop_.change(fd_.get(), wanted);
}

void Connection::restart_timer() {
    stop_timer();
    timer_ = loop_.after(kPatience, [this] {
        timer_ = 0;
        close();
    });
}

void Connection::stop_timer() {
    if (timer_ != 0) loop_.cancel(std::exchange(timer_, 0));
}

}  // namespace carrel::control
