// A guest's process that has gone wrong, played by the test: the host loses that process and nothing else.
#include "vmm/isolate/guest_link.h"

#include <dirent.h>
#include <sys/poll.h>
#include <sys/socket.h>

#include <array>
#include <atomic>
#include <cstring>
#include <future>
#include <thread>

#include "tests/catch.h"

using namespace carrel;
using namespace carrel::isolate;

namespace {

// The system's, and a test may let time pass.
class TestClock final : public Clock {
  public:
    Nanoseconds now() const override { return system_.now() + ahead; }
    Nanoseconds wall() const override { return system_.wall(); }
    std::atomic<Nanoseconds> ahead{0};

  private:
    SystemClock system_;
};

// A link on a loop that runs; at its other end a socket of the test's, and a process that sleeps.
class Rig final : public LinkListener {
  public:
    Rig() {
        DirectSpawner spawner;
        auto ends = MessageSocket::pair().value();
        theirs = std::move(ends.second);
        thread_ = std::thread([this, &spawner, &ends] {
            // The child goes when the thread does that began it.
            REQUIRE(link_->begin(spawner.spawn({"sleep", "1000"}, {}).value(), std::move(ends.first)).ok());
            begun_.set_value();
            loop_->run();
            link_.reset();
        });
        begun_.get_future().get();
    }
    ~Rig() override {
        loop_->stop();
        thread_.join();
    }
    void on_news(News) override { ++news; }
    void on_seated(uint32_t, Fd) override {}
    void on_exit() override {}
    void on_gone(const std::string& how) override { gone_.set_value(how); }

    bool say(std::span<const std::byte> bytes) const {
        return ::send(theirs.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL) ==
               static_cast<ssize_t>(bytes.size());
    }
    // How it went; nothing: it is still there after a long time. `each_second`: so much passes at once, and
    // again: what it follows from may not have been seen yet.
    std::string gone(Nanoseconds each_second = 0) {
        auto future = gone_.get_future();
        for (int i = 0; i < 20; ++i) {
            if (each_second != 0) pass(each_second);
            if (future.wait_for(std::chrono::seconds(1)) == std::future_status::ready) return future.get();
        }
        return "";
    }
    // An order, and whether it has been answered with an error.
    std::future<Result<Answer>> give() {
        const auto told = std::make_shared<std::promise<Result<Answer>>>();
        loop_->post([this, told] {
            Order order;
            order.what = Order::What::kPause;
            link_->give(std::move(order),
                        [told](Result<Answer> answer) { told->set_value(std::move(answer)); });
        });
        return told->get_future();
    }
    // On the loop, behind what has been posted before.
    void pass(Nanoseconds time) {
        loop_->post([this, time] { clock_.ahead += time; });
    }

    Fd theirs;
    std::atomic<int> news{0};

  private:
    TestClock clock_;
    std::unique_ptr<EventLoop> loop_ = EventLoop::create(clock_).value();
    std::unique_ptr<GuestLink> link_ = std::make_unique<GuestLink>(*loop_, *this);
    std::promise<void> begun_;
    std::promise<std::string> gone_;
    std::thread thread_;
};

const auto kNews = to_bytes(News{GuestEvent::Kind::kHeld, GuestState::kHeld, "d", "w", {}, {}});

size_t descriptors() {
    DIR* const folder = ::opendir("/proc/self/fd");
    size_t count = 0;
    while (::readdir(folder) != nullptr) ++count;
    ::closedir(folder);
    return count;
}

}  // namespace

TEST_CASE("link: an order is answered, and its answer told once") {
    Rig rig;
    auto told = rig.give();
    std::array<std::byte, 1000> bytes;
    pollfd ready{.fd = rig.theirs.get(), .events = POLLIN, .revents = 0};
    REQUIRE(::poll(&ready, 1, 20'000) == 1);
    const ssize_t size = ::recv(rig.theirs.get(), bytes.data(), bytes.size(), 0);
    REQUIRE(size > 0);
    const auto order = order_of(std::span(bytes).first(static_cast<size_t>(size)));
    REQUIRE(order.has_value());
    REQUIRE(rig.say(to_bytes(Answer{order->id, {}, {}})));
    CHECK(told.get().ok());
    REQUIRE(rig.say(to_bytes(Answer{order->id, {}, {}})));
    CHECK(rig.gone() == "its process answered what it wasn't asked");
}

TEST_CASE("link: what makes no sense ends the process, and the order that waits is answered") {
    Rig rig;
    auto told = rig.give();
    REQUIRE(rig.say(std::array{std::byte{9}, std::byte{9}}));
    CHECK(rig.gone() == "its process said what makes no sense");
    CHECK_FALSE(told.get().ok());
}

TEST_CASE("link: a message that is too long ends it") {
    Rig rig;
    REQUIRE(rig.say(std::vector<std::byte>(MessageSocket::kMost + 1000)));
    CHECK(rig.gone() == "its process sent a message that is too long");
}

TEST_CASE("link: a flood of news ends it, when a fair number has been told") {
    Rig rig;
    for (int i = 0; i < 5000; ++i) {
        pollfd ready{.fd = rig.theirs.get(), .events = POLLOUT, .revents = 0};
        if (::poll(&ready, 1, 1000) != 1 || !rig.say(kNews)) break;
    }
    CHECK(rig.gone() == "its process told too much");
    CHECK(rig.news >= 200);
    CHECK(rig.news < 1000);
}

TEST_CASE("link: no answer in time ends it") {
    Rig rig;
    auto told = rig.give();
    CHECK(rig.gone(GuestLink::kAnswerTime + kSecond) == "its process didn't answer in time");
    CHECK_FALSE(told.get().ok());
}

TEST_CASE("link: one that reads nothing ends, and who asks isn't kept waiting") {
    Rig rig;
    std::vector<std::future<Result<Answer>>> told;
    for (int i = 0; i < 20'000; ++i) told.push_back(rig.give());
    CHECK(rig.gone() == "its process reads nothing");
    for (auto& one : told) CHECK_FALSE(one.get().ok());
}

TEST_CASE("link: a process that closes its end and stays is ended") {
    Rig rig;
    rig.theirs.reset();
    CHECK(rig.gone(GuestLink::kExitTime + kSecond) == "its process didn't exit");
}

TEST_CASE("link: descriptors that come along and aren't wanted are closed") {
    Rig rig;
    const size_t before = descriptors();
    for (int i = 0; i < 50; ++i) {
        alignas(cmsghdr) std::array<std::byte, CMSG_SPACE(3 * sizeof(int))> control{};
        iovec bytes{const_cast<std::byte*>(kNews.data()), kNews.size()};
        msghdr message{};
        message.msg_iov = &bytes;
        message.msg_iovlen = 1;
        message.msg_control = control.data();
        message.msg_controllen = control.size();
        cmsghdr* const header = CMSG_FIRSTHDR(&message);
        header->cmsg_level = SOL_SOCKET;
        header->cmsg_type = SCM_RIGHTS;
        header->cmsg_len = CMSG_LEN(3 * sizeof(int));
        const int fds[] = {STDERR_FILENO, STDERR_FILENO, STDERR_FILENO};
        std::memcpy(CMSG_DATA(header), fds, sizeof fds);
        pollfd ready{.fd = rig.theirs.get(), .events = POLLOUT, .revents = 0};
        REQUIRE(::poll(&ready, 1, 20'000) == 1);
        REQUIRE(::sendmsg(rig.theirs.get(), &message, MSG_NOSIGNAL) > 0);
    }
    for (int i = 0; i < 200 && rig.news < 50; ++i) ::poll(nullptr, 0, 100);
    CHECK(rig.news == 50);
    CHECK(descriptors() == before);
}
