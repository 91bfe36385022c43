#include "devices/backends/passt.h"

#include <poll.h>

#include <csignal>

#include "tests/backends/frames.h"
#include "tests/backends/helpers.h"
#include "tests/backends/net_end.h"
#include "tests/virtio/loop_pump.h"

namespace carrel {
namespace {

using namespace test;

// Instead of passt, a process that does nothing; its end of the socket is the test's.
class FakePasst final : public Spawner {
  public:
    Result<Child> spawn(const std::vector<std::string>& command,
                        std::span<const Inherited> inherited) override {
        ++started;
        last = command;
        if (missing) return host_error("cannot start passt: it is in no folder of PATH");
        for (const Inherited& one : inherited) {
            if (one.theirs == kPasstSocket) end.reset(::fcntl(one.ours, F_DUPFD_CLOEXEC, 0));
        }
        return DirectSpawner().spawn({"sh", "-c", script}, inherited);
    }
    void say(const Bytes& stream) const {
        REQUIRE(::send(end.get(), stream.data(), stream.size(), 0) == static_cast<ssize_t>(stream.size()));
    }

    Fd end;
    int started = 0;
    bool missing = false;
    std::string script = "exec sleep 1000 3>&- 2>&-";
    std::vector<std::string> last;
};

struct Rig {
    ManualClock clock;
    std::unique_ptr<EventLoop> loop = EventLoop::create(clock).value();
    Pipe said;
    Log log{said.writer.get(), LogLevel::kInfo};
    FakePasst fake;
    std::unique_ptr<Passt> passt;
    NetEnd guest;

    explicit Rig(PasstOptions options = {}) {
        passt = Passt::create({*loop, fake, log}, std::move(options)).value();
        guest.connect(*passt);
    }
    void turn() { pump(*loop); }
    bool until(const std::function<bool()>& done) { return pump_until(*loop, done); }
    std::string log_text() const {
        std::array<char, 4096> text{};
        pollfd entry{said.reader.get(), POLLIN, 0};
        const ssize_t got =
            ::poll(&entry, 1, 0) == 1 ? ::read(said.reader.get(), text.data(), text.size()) : 0;
        return {text.data(), static_cast<size_t>(got)};
    }
};

}  // namespace

TEST_CASE("passt is called as its manual has it") {
    using Protocol = PortForward::Protocol;
    const Rig rig({1500, {{Protocol::kTcp, "", 8080, 80}, {Protocol::kUdp, "127.0.0.1", 53, 5353}}});
    CHECK(rig.fake.last == std::vector<std::string>{"passt", "--foreground", "--quiet", "--mtu", "1500",
                                                    "--fd", "3", "--tcp-ports", "8080:80", "--udp-ports",
                                                    "127.0.0.1/53:5353"});
    CHECK(rig.passt->mtu() == 1500);
    CHECK(Rig().passt->mtu() == 65520);
}

TEST_CASE("frames go both ways through passt's socket") {
    Rig rig;
    const Bytes out = frame_of(60), large = frame_of(40000);
    CHECK(rig.guest.send(out) == static_cast<ssize_t>(out.size() + sizeof(NetHeader)));
    CHECK(rig.guest.send(large) == static_cast<ssize_t>(large.size() + sizeof(NetHeader)));
    rig.passt->flush(0);
    Bytes expected;
    append_framed(expected, out);
    append_framed(expected, large);
    Bytes got(expected.size());
    REQUIRE(::recv(rig.fake.end.get(), got.data(), got.size(), MSG_WAITALL) ==
            static_cast<ssize_t>(got.size()));
    CHECK(got == expected);

    Bytes stream;
    append_framed(stream, out);
    append_framed(stream, large);
    rig.fake.say(stream);
    rig.turn();
    CHECK(rig.guest.got == std::vector<Bytes>{out, large});
}

TEST_CASE("a guest without buffers leaves frames with passt, and gets all of them later, a few a turn") {
    Rig rig;
    std::vector<Bytes> frames;
    rig.guest.want(false);
    for (int i = 0; i < 20; ++i) {
        frames.push_back(frame_of(100));
        Bytes stream;
        append_framed(stream, frames.back());
        rig.fake.say(stream);
    }
    rig.turn();
    CHECK(rig.guest.got.empty());
    CHECK(rig.guest.told == 0);
    rig.guest.most = 3;  // a turn
    rig.guest.want(true);
    CHECK(rig.until([&] { return rig.guest.got.size() == frames.size(); }));
    CHECK(rig.guest.got == frames);
    CHECK(rig.guest.told >= 7);
    // Those that are left lie in our buffer, and the socket says nothing of them.
    rig.guest.buffers = 23;
    Bytes stream;
    for (const Bytes& frame : frames) append_framed(stream, frame);
    rig.fake.say(stream);
    rig.turn();
    CHECK(rig.guest.got.size() == 23);
    const int told = rig.guest.told;
    rig.turn();
    CHECK(rig.guest.told == told);
    rig.guest.buffers = SIZE_MAX;
    rig.guest.want(true);
    rig.turn();
    CHECK(rig.guest.got.size() == 2 * frames.size());
}

TEST_CASE("a passt that doesn't read holds up its own guest's sending only, and says when it goes on") {
    Rig rig;
    const Bytes large = frame_of(30000);
    size_t sent = 0;
    while (rig.guest.send(large) > 0) REQUIRE(++sent < 1000);
    CHECK(rig.guest.send(large) == -EAGAIN);
    rig.passt->flush(0);
    rig.turn();
    CHECK(rig.guest.rooms == 0);
    Bytes some(1 << 20);
    while (::recv(rig.fake.end.get(), some.data(), some.size(), MSG_DONTWAIT) > 0) rig.turn();
    CHECK(rig.guest.rooms == 1);
    CHECK(rig.guest.send(large) > 0);
    rig.turn();
    CHECK(rig.guest.rooms == 1);
}

TEST_CASE("passt's death is link down, and up again with the next one") {
    Rig rig;
    rig.guest.send(frame_of(60));  // gathered, and never sent
    ::kill(rig.passt->pid(), SIGKILL);
    rig.fake.end.reset();
    CHECK(rig.until([&] { return !rig.guest.links.empty(); }));
    CHECK(rig.guest.links == std::vector<bool>{false});
    CHECK(rig.guest.send(frame_of(60)) == -ENETDOWN);
    std::string said;
    CHECK(rig.until([&] { return !(said += rig.log_text()).empty(); }));
    CHECK(said.find("passt was ended by signal 9 (Killed): the link is down; passt is started again in "
                    "100 ms\n") != std::string::npos);
    rig.turn();
    CHECK(rig.fake.started == 1);
    rig.clock.advance(100 * kMillisecond);
    rig.turn();
    CHECK(rig.fake.started == 2);
    CHECK(rig.guest.links == std::vector<bool>{false, true});
    Bytes stream;
    append_framed(stream, frame_of(60));
    rig.fake.say(stream);
    rig.turn();
    CHECK(rig.guest.got.size() == 1);  // it is still wanted, and what was gathered for the first is gone
    CHECK(rig.guest.send(frame_of(3000)) > 0);
    std::array<std::byte, 4096> first{};
    CHECK(::recv(rig.fake.end.get(), first.data(), first.size(), 0) == 3004);
}

TEST_CASE("a passt that can't do what it is to says so by its last line") {
    Rig rig;
    rig.fake.script = "echo Port 22 is taken, exiting >&2; echo Failed to send 3 bytes to syslog >&2; exit 1";
    ::kill(rig.passt->pid(), SIGKILL);
    REQUIRE(rig.until([&] { return rig.passt->pid() < 0; }));
    rig.fake.end.reset();
    rig.log_text();
    rig.clock.advance(kSecond);
    std::string said;
    REQUIRE(rig.until([&] { return (said += rig.log_text()).find("ms\n") != std::string::npos; }));
    CHECK(said.find("passt exited with status 1 (Port 22 is taken, exiting): the link is down") !=
          std::string::npos);
}

TEST_CASE("a passt that dies again and again is started less and less often, one that lived well at once") {
    Rig rig;
    Nanoseconds expected = 100 * kMillisecond;
    const auto die = [&] {
        const int before = rig.fake.started;
        const size_t links = rig.guest.links.size();
        ::kill(rig.passt->pid(), SIGKILL);
        rig.fake.end.reset();
        REQUIRE(rig.until([&] { return rig.guest.links.size() == links + 1 && rig.passt->pid() < 0; }));
        rig.clock.advance(expected - 1);
        rig.turn();
        CHECK(rig.fake.started == before);
        rig.clock.advance(1);
        rig.turn();
        CHECK(rig.fake.started == before + 1);
    };
    for (int i = 0; i < 10; ++i) {
        die();
        expected = std::min(2 * expected, 10 * kSecond);
    }
    CHECK(expected == 10 * kSecond);
    rig.clock.advance(10 * kSecond);
    expected = 100 * kMillisecond;
    die();
}

TEST_CASE("what can't be a frame ends that passt, and nothing of it reaches the guest") {
    for (const uint32_t length : {0u, 13u, 0xffffffffu}) {
        Rig rig;
        Bytes stream;
        append_length(stream, length);
        stream.resize(5000);
        rig.fake.say(stream);
        CHECK(rig.until([&] { return rig.passt->pid() < 0; }));
        CHECK(rig.guest.links == std::vector<bool>{false});
        CHECK(rig.guest.got.empty());
        CHECK(rig.log_text().find("passt sent a frame of an impossible length") != std::string::npos);
        rig.clock.advance(kSecond);
        rig.turn();
        CHECK(rig.guest.links == std::vector<bool>{false, true});
    }
}

TEST_CASE("a passt that closes its socket and lives is ended") {
    Rig rig;
    const pid_t pid = rig.passt->pid();
    rig.fake.end.reset();
    CHECK(rig.until([&] { return rig.passt->pid() < 0; }));
    CHECK(::kill(pid, 0) == -1);
    // Also where nobody wants its frames.
    rig.guest.want(false);
    rig.clock.advance(kSecond);
    rig.turn();
    rig.fake.end.reset();
    CHECK(rig.until([&] { return rig.passt->pid() < 0; }));
}

TEST_CASE("without passt there is one clear sentence, and a running guest waits for it") {
    Rig rig;
    rig.fake.missing = true;
    const auto refused = Passt::create({*rig.loop, rig.fake, rig.log}, {});
    REQUIRE(!refused.ok());
    CHECK(
        refused.error().sentence() ==
        "cannot start passt: it is in no folder of PATH; --net user needs passt: apt install passt, or take "
        "another network");
    rig.fake.end.reset();
    CHECK(rig.until([&] { return rig.passt->pid() < 0; }));
    rig.clock.advance(100 * kMillisecond);
    rig.turn();
    CHECK_FALSE(rig.passt->link_up());
    rig.fake.missing = false;
    rig.clock.advance(200 * kMillisecond);
    rig.turn();
    CHECK(rig.passt->link_up());
}

TEST_CASE("a device that comes takes over from the one before") {
    Rig rig;
    NetEnd next;
    next.connect(*rig.passt);
    rig.passt->detach(rig.guest);
    Bytes stream;
    append_framed(stream, frame_of(60));
    rig.fake.say(stream);
    rig.turn();
    CHECK(rig.guest.got.empty());
    CHECK(next.got.size() == 1);
    rig.passt->detach(next);
    rig.fake.say(stream);
    rig.turn();
    CHECK(next.got.size() == 1);
}

}  // namespace carrel
