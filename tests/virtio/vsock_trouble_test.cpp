// A host whose sockets take their time, and what happens meanwhile.
#include <poll.h>

#include "tests/catch.h"
#include "tests/virtio/vsock_rig.h"

using namespace carrel;
using namespace carrel::virtio;
using namespace carrel::virtio::test;

namespace {

constexpr uint32_t kPort = 1024, kGuest = 5000;

// Each connect() waits until it is let go on, as on a dead file server. The other end of each is kept.
class SlowOpener final : public Opener {
  public:
    Result<Fd> open(const std::string& path, int flags, unsigned mode) override {
        return direct_.open(path, flags, mode);
    }
    Result<Fd> listen(const std::string& path) override { return direct_.listen(path); }
    void remove(const std::string& path) override { direct_.remove(path); }
    Result<Fd> connect(const std::string& path) override {
        MutexLock lock(mutex_);
        asked_ = path;
        changed_.notify_all();
        while (!go_) changed_.wait(mutex_);
        int ends[2] = {};
        if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends) != 0) std::abort();
        far_ = Fd(ends[1]);
        return Fd(ends[0]);
    }
    std::string wait_asked() {
        MutexLock lock(mutex_);
        while (asked_.empty()) changed_.wait(mutex_);
        return asked_;
    }
    void go() {
        MutexLock lock(mutex_);
        go_ = true;
        changed_.notify_all();
    }
    // Whether its end was closed, within ten seconds.
    bool closed() {
        for (int i = 0; i < 1000; ++i) {
            {
                MutexLock lock(mutex_);
                if (far_.valid() && VsockSide::read(far_) == "END") return true;
            }
            ::poll(nullptr, 0, 10);
        }
        return false;
    }
    int far() {
        MutexLock lock(mutex_);
        return far_.get();
    }

  private:
    DirectOpener direct_;
    Mutex mutex_;
    Condition changed_;
    std::string asked_ GUARDED_BY(mutex_);
    bool go_ GUARDED_BY(mutex_) = false;
    Fd far_ GUARDED_BY(mutex_);
};

}  // namespace

TEST_CASE("a connection that takes its time keeps nobody waiting, and stands in the end") {
    SlowOpener slow;
    VsockSide v(&slow);
    v.send(kVsockRequest, kPort, kGuest);
    CHECK(slow.wait_asked() == v.path() + "_1024");
    CHECK(v.next_op() == 0);
    uint32_t port = 0;
    const Fd other = v.connect_to_guest(kGuest + 1, port);  // the other way meanwhile
    v.write(other, "not stopped");
    CHECK(v.next().data == "not stopped");
    // The machine is rebuilt before there is an answer.
    auto next = std::make_unique<Vsock>(*v.hub, *v.loop);
    REQUIRE(v.side.move_to(*next, kVsockStream));
    v.device = std::move(next);
    slow.go();
    CHECK(v.answered() == kVsockResponse);
    v.send(kVsockData, kPort, kGuest, "late");
    std::array<char, 8> bytes{};
    CHECK(::recv(slow.far(), bytes.data(), bytes.size(), MSG_DONTWAIT) == 4);
}

TEST_CASE("a guest that gives up, or breaks the rules, while it is connected") {
    for (const uint16_t op : {kVsockReset, kVsockData, kVsockShutdown, kVsockRequest}) {
        SlowOpener slow;
        VsockSide v(&slow);
        v.send(kVsockRequest, kPort, kGuest);
        slow.wait_asked();
        v.send(op, kPort, kGuest, op == kVsockData ? "early" : "");
        CHECK(v.next_op() == (op == kVsockReset ? 0 : kVsockReset));
        CHECK(v.hub->connections() == 0);
        slow.go();
        CHECK(slow.closed());
        CHECK(v.next_op() == 0);
    }
}

TEST_CASE("a device that is reset, and a hub that goes, while a connection is made") {
    SlowOpener slow;
    {
        VsockSide v(&slow);
        v.send(kVsockRequest, kPort, kGuest);
        slow.wait_asked();
        v.device->reset();
        CHECK(v.hub->connections() == 0);
        slow.go();
    }
    CHECK(slow.closed());
}

TEST_CASE("a driver that asks for connections and forgets them can't pile up work") {
    SlowOpener slow;
    VsockSide v(&slow);
    for (size_t i = 0; i < VsockHub::kMostConnections; ++i) {
        v.send(kVsockRequest, kPort, kGuest);
        v.send(kVsockReset, kPort, kGuest);
    }
    CHECK(v.hub->connections() == 0);
    v.send(kVsockRequest, kPort, kGuest);
    CHECK(v.next_op() == kVsockReset);
    slow.go();
}
