// GuestLink: a guest's process and what is said to it: orders, each of which is answered within a time, and
// what it says by itself. It is trusted no more than a client of the control socket: what makes no sense,
// floods, or doesn't come ends that process, and nobody waits for it.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>

#include "vmm/base/event_loop.h"
#include "vmm/base/log.h"
#include "vmm/base/spawner.h"
#include "vmm/isolate/message.h"
#include "vmm/isolate/message_socket.h"

namespace carrel::isolate {

// What a process says, and its end. On the loop's thread; the link isn't destroyed inside.
class LinkListener {
  public:
    virtual ~LinkListener() = default;
    virtual void on_news(News news) = 0;
    virtual void on_seated(uint32_t place, Fd statistics) = 0;
    // It has ended, and its number isn't another's yet.
    virtual void on_exit() = 0;
    // It has gone, all that it said being told and all orders answered. `how`: its last words, or what it did
    // wrong.
    virtual void on_gone(const std::string& how) = 0;
};

// On the loop's thread.
class GuestLink {
  public:
    using Told = std::function<void(Result<Answer>)>;
    static constexpr Nanoseconds kAnswerTime = 20 * kSecond;  // a pause may take ten
    static constexpr Nanoseconds kLoadTime = 600 * kSecond;   // from a slow disk
    static constexpr Nanoseconds kExitTime = 10 * kSecond;
    // A guest's states change a few times a second at most, by itself.
    static constexpr uint32_t kNewsAtOnce = 200;
    static constexpr Nanoseconds kNewsEach = 20 * kMillisecond;

    GuestLink(EventLoop& loop, LinkListener& listener) : loop_(loop), listener_(listener) {}
    ~GuestLink();
    GuestLink(const GuestLink&) = delete;
    GuestLink& operator=(const GuestLink&) = delete;

    pid_t pid() const { return child_.pid(); }
    // `child` has the other end of `socket`.
    Result<void> begin(Child child, Fd socket);

    // `told` once; the error: it was refused, or the process has gone.
    void give(Order order, Told told);
    // It is to end by itself within kExitTime, and is killed then.
    void expect_exit() { kill_after(kExitTime, "its process didn't exit"); }
    void kill_after(Nanoseconds patience, const std::string& why);
    void spare();  // not, after all
    void kill(const std::string& why);
    // Kills it; `done` when it has gone, which the listener isn't told. This may go meanwhile.
    void part(std::function<void()> done);

  private:
    struct Waiting {
        Told told;
        uint64_t timer;
    };
    void on_message(std::span<const std::byte> bytes, Fd with);
    void on_answer(Answer answer);
    void on_trouble(MessageSocket::Trouble trouble);
    void on_end();
    void answer_all();

    EventLoop& loop_;
    LinkListener& listener_;
    Child child_;
    std::unique_ptr<MessageSocket> socket_;
    std::map<uint32_t, Waiting> waiting_;
    uint32_t last_ = 0;
    uint64_t kill_timer_ = 0;
    std::string why_;  // it was killed
    RateLimit news_{kNewsAtOnce, kNewsEach};
};

}  // namespace carrel::isolate
