// What the process's own threads do for a VM is charged to it, and waits while its share is spent.
#include <fcntl.h>
#include <unistd.h>

#include <atomic>
#include <memory>

#include "tests/catch.h"
#include "vmm/base/event_loop.h"

using namespace carrel;

namespace {

class Account final : public ChargeSink {
  public:
    void charge(Nanoseconds cpu) override { charged += cpu; }
    Nanoseconds held_until() override { return until; }
    Nanoseconds charged = 0;
    Nanoseconds until = 0;
};

struct Pipe {
    Pipe() {
        int ends[2];
        REQUIRE(::pipe2(ends, O_NONBLOCK | O_CLOEXEC) == 0);
        reader = Fd(ends[0]);
        writer = Fd(ends[1]);
    }
    void write() const { REQUIRE(::write(writer.get(), "x", 1) == 1); }
    void read() const {
        char byte = 0;
        (void)!::read(reader.get(), &byte, 1);
    }
    Fd reader, writer;
};

void work(Nanoseconds cpu) {
    for (const Nanoseconds until = thread_cpu_time() + cpu; thread_cpu_time() < until;) {
    }
}

const SystemClock kClock;

}  // namespace

TEST_CASE("charge: callbacks and timers set up for a VM are charged to it, and what they set up too") {
    const auto loop = EventLoop::create(kClock).value();
    const auto account = std::make_shared<Account>();
    const Pipe pipe;
    {
        const EventLoop::ChargeScope scope(*loop, account);
        REQUIRE(loop->watch(pipe.reader.get(), EPOLLIN,
                            [&](uint32_t) {
                                pipe.read();
                                work(2 * kMillisecond);
                                loop->after(0, [&] {
                                    work(2 * kMillisecond);
                                    loop->stop();
                                });
                            })
                    .ok());
    }
    loop->after(0, [] { work(20 * kMillisecond); });  // nobody's
    pipe.write();
    loop->run();
    CHECK(account->charged >= 4 * kMillisecond);
    CHECK(account->charged < 15 * kMillisecond);
    loop->unwatch(pipe.reader.get());
}

TEST_CASE("charge: while a VM's share is spent its descriptors wait, and others' don't") {
    const auto loop = EventLoop::create(kClock).value();
    const auto account = std::make_shared<Account>();
    const Pipe held, free;
    Nanoseconds served = 0;
    bool other = false;
    {
        const EventLoop::ChargeScope scope(*loop, account);
        REQUIRE(loop->watch(held.reader.get(), EPOLLIN,
                            [&](uint32_t) {
                                served = kClock.now();
                                loop->stop();
                            })
                    .ok());
    }
    REQUIRE(loop->watch(free.reader.get(), EPOLLIN,
                        [&](uint32_t) {
                            free.read();
                            other = served == 0;
                        })
                .ok());
    held.write();
    const Nanoseconds until = kClock.now() + 30 * kMillisecond;
    account->until = until;
    loop->after(5 * kMillisecond, [&] { free.write(); });
    loop->after(20 * kMillisecond, [&] { account->until = 0; });
    loop->run();
    CHECK(served >= until);
    CHECK(other);
    loop->unwatch(held.reader.get());
    loop->unwatch(free.reader.get());
}

TEST_CASE("charge: a descriptor that is unwatched while it is held stays so") {
    const auto loop = EventLoop::create(kClock).value();
    const auto account = std::make_shared<Account>();
    const Pipe pipe;
    bool called = false;
    {
        const EventLoop::ChargeScope scope(*loop, account);
        REQUIRE(loop->watch(pipe.reader.get(), EPOLLIN, [&](uint32_t) { called = true; }).ok());
    }
    pipe.write();
    account->until = kClock.now() + 20 * kMillisecond;
    loop->after(5 * kMillisecond, [&] { loop->unwatch(pipe.reader.get()); });
    loop->after(40 * kMillisecond, [&] { loop->stop(); });
    loop->run();
    CHECK_FALSE(called);
}
