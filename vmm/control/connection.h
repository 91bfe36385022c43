// Connection: one client of the control socket. It never waits for him, and keeps a bounded amount of his
// bytes and for him.
//
//   reading ──► a request ──► waiting for the answer ──► written ──► reading …
//                    ├──► events: lines until one of us goes; who is too slow for them is cut off
//                    └──► console: raw bytes both ways, at his pace
#pragma once

#include <memory>
#include <string>

#include "devices/backends/loop_signal.h"
#include "vmm/base/event_loop.h"
#include "vmm/base/fd.h"
#include "vmm/control/request_reader.h"
#include "vmm/host/fleet.h"

namespace carrel::control {

class Connection;

// What a connection asks of the server. On the server's loop, as the whole connection.
class ConnectionListener {
  public:
    virtual ~ConnectionListener() = default;
    virtual void on_request(uint64_t id, Request request) = 0;
    virtual void on_closed(uint64_t id) = 0;  // it is destroyed a little later
};

class Connection final : public ConsoleWatcher {
  public:
    static constexpr Nanoseconds kPatience = 30 * kSecond;  // for the next byte of a request, or to take one
    static constexpr size_t kMostUnread = size_t{1} << 20;  // events that he hasn't taken
    static constexpr size_t kPiece = 16 * 1024;

    Connection(EventLoop& loop, Fd fd, uint64_t id, ConnectionListener& listener)
        : loop_(loop), fd_(std::move(fd)), id_(id), listener_(listener) {}
    ~Connection() override;
    Connection(const Connection&) = delete;
    Connection& operator=(const Connection&) = delete;

    Result<void> begin();
    void answer(const Answer& answer);
    void begin_events();
    Result<void> begin_console(std::string guest, ConsoleEnds ends);
    void send_event(const std::string& line);  // where it has asked for them
    void guest_is_gone(const std::string& guest);
    void close();

    bool closed() const { return closed_; }
    bool streams() const { return mode_ == Mode::kEvents || mode_ == Mode::kConsole; }

    void on_output() override { signal_->raise(); }  // the console's, any thread

  private:
    enum class Mode : uint8_t { kReading, kWaiting, kEvents, kConsole, kClosing };

    void on_ready(uint32_t events);
    bool read_some();
    void take_requests();
    void type(std::string_view bytes);
    void pass_typed();
    void send(std::string bytes);
    void flush();
    void refill();
    void update();
    void restart_timer();
    void stop_timer();

    EventLoop& loop_;
    const Fd fd_;
    const uint64_t id_;
    ConnectionListener& listener_;
    Mode mode_ = Mode::kReading;
    bool closed_ = false, keep_alive_ = true;
    RequestReader reader_;
    std::string out_;
    uint32_t watched_ = 0;
    uint64_t timer_ = 0;
    // Of a console.
    std::string guest_;
    std::shared_ptr<ConsoleTranscript> transcript_;
    uint64_t position_ = 0;
    Fd typing_;
    std::string typed_;  // not yet taken by the guest
    bool typing_watched_ = false;
    std::unique_ptr<LoopSignal> signal_;
};

}  // namespace carrel::control
