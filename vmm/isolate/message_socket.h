// MessageSocket: one end of a pair that a host and a guest's process talk over (AF_UNIX, SOCK_SEQPACKET): the
// kernel keeps messages apart and whole. Neither end ever waits for the other, and what is kept for one that
// doesn't read is bounded.
#pragma once

#include <deque>
#include <functional>
#include <memory>
#include <span>
#include <utility>
#include <vector>

#include "vmm/base/event_loop.h"
#include "vmm/base/fd.h"

namespace carrel::isolate {

// On the loop's thread.
class MessageSocket {
  public:
    static constexpr size_t kMost = 192 * 1024;  // of one message, bytes; less than a socket's buffer
    static constexpr size_t kMostUnsent = 64;    // messages
    static constexpr size_t kMostLeft = 4096;    // of one that has gone; a socket's buffer holds fewer
    static constexpr int kAtOnce = 16;           // that are taken before others get their turn

    enum class Trouble {
        kClosed,   // the other end has gone
        kTooLong,  // it sent more than a message may have
        kFull,     // it reads nothing
    };
    // `on_message` must not destroy this; `on_trouble` once, and no message afterwards.
    struct Listener {
        // `with`: a descriptor that came along; most have none.
        std::function<void(std::span<const std::byte>, Fd with)> on_message;
        std::function<void(Trouble)> on_trouble;
    };

    static Result<std::pair<Fd, Fd>> pair();
    static Result<std::unique_ptr<MessageSocket>> create(EventLoop& loop, Fd fd, Listener listener);
    MessageSocket(EventLoop& loop, Fd fd, Listener listener);  // use create()
    ~MessageSocket();
    MessageSocket(const MessageSocket&) = delete;
    MessageSocket& operator=(const MessageSocket&) = delete;

    void send(std::vector<std::byte> message, Fd with = Fd());
    bool idle() const { return unsent_.empty(); }
    // Takes what is there still, of an end that has gone.
    void drain();

  private:
    struct Unsent {
        std::vector<std::byte> bytes;
        Fd with;
    };
    void on_ready(uint32_t events);
    ssize_t receive(Fd& with);
    ssize_t pass(const Unsent& message);
    bool take_one();
    void flush();
    void give_up(Trouble trouble);

    EventLoop& loop_;
    const Fd fd_;
    Listener listener_;
    const std::unique_ptr<std::byte[]> buffer_;  // touched as far as messages are long
    std::deque<Unsent> unsent_;
    bool given_up_ = false;
};

}  // namespace carrel::isolate
