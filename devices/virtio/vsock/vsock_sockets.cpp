// VsockHub's sockets: who connects, what epoll tells.
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>

#include "devices/virtio/vsock/vsock_hub.h"

namespace carrel::virtio {
namespace {

// The port of "CONNECT 1024"; nothing where it says something else.
std::optional<uint32_t> greeted_port(std::string_view line) {
    constexpr std::string_view kWord = "CONNECT ";
    if (!line.starts_with(kWord)) return std::nullopt;
    line.remove_prefix(kWord.size());
    uint32_t port = 0;
    const auto [end, error] = std::from_chars(line.data(), line.data() + line.size(), port);
    if (line.empty() || error != std::errc{} || end != line.data() + line.size()) return std::nullopt;
    return port;
}

bool add_to(const Fd& epoll, const Fd& fd, uint32_t events, uint64_t id) {
    epoll_event event{};
    event.events = events;
    event.data.u64 = id;
    return ::epoll_ctl(epoll.get(), EPOLL_CTL_ADD, fd.get(), &event) == 0;
}

}  // namespace

// The hub removes the path at its end; until there is one, we do.
Result<std::unique_ptr<VsockHub>> VsockHub::create(Opener& opener, const std::string& path, uint64_t cid) {
    TRY_ASSIGN(Fd listening, opener.listen(path));
    auto hub = create_at(opener, path, cid, std::move(listening));
    if (!hub.ok()) opener.remove(path);
    return hub;
}

Result<std::unique_ptr<VsockHub>> VsockHub::create_at(Opener& opener, const std::string& path, uint64_t cid,
                                                      Fd listening) {
    Descriptors fds{std::move(listening), Fd(::epoll_create1(EPOLL_CLOEXEC)),
                    Fd(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK))};
    uint64_t identity = 0;
    if (!fds.epoll.valid() || !fds.made.valid() ||
        ::getrandom(&identity, sizeof identity, 0) != sizeof identity)
        return os_error(errno, "cannot make what --vsock waits with");
    if (!add_to(fds.epoll, fds.listening, EPOLLIN | EPOLLONESHOT, kListening) ||
        !add_to(fds.epoll, fds.made, EPOLLIN | EPOLLET, kMade))
        return os_error(errno, "cannot wait for connections at " + path);
    TRY_ASSIGN(auto connector, Connector::start(opener));
    return std::make_unique<VsockHub>(opener, path, cid, identity, std::move(fds), std::move(connector));
}

VsockHub::VsockHub(Opener& opener, std::string path, uint64_t cid, uint64_t identity, Descriptors descriptors,
                   std::unique_ptr<Connector> connector)
    : opener_(opener),
      path_(std::move(path)),
      cid_(cid),
      identity_(identity),
      fds_(std::move(descriptors)),
      connector_(std::move(connector)) {}

VsockHub::~VsockHub() {
    opener_.remove(path_);
}

// The loop sees one descriptor, an epoll of our own: sockets are added and closed under our lock by whatever
// thread it happens on.
void VsockHub::attach(VsockListener& listener, EventLoop& loop) {
    MutexLock lock(mutex_);
    listener_ = &listener;
    if (loop_ != nullptr) return;
    // It can't be refused: it isn't a file, and isn't watched yet.
    if (loop.watch(fds_.epoll.get(), EPOLLIN, [this](uint32_t) { on_ready(); }).ok()) loop_ = &loop;
}

void VsockHub::detach(VsockListener& listener) {
    MutexLock lock(mutex_);
    if (listener_ != &listener) return;
    listener_ = nullptr;
    if (loop_ != nullptr) loop_->unwatch(fds_.epoll.get());
    loop_ = nullptr;
}

void VsockHub::on_ready() {
    constexpr int kMostEvents = 32;  // in a turn, so that other devices get theirs
    std::array<epoll_event, kMostEvents> events;
    const int count = ::epoll_wait(fds_.epoll.get(), events.data(), kMostEvents, 0);
    VsockListener* listener = nullptr;
    {
        MutexLock lock(mutex_);
        for (const epoll_event& event : std::span(events).first(static_cast<size_t>(std::max(count, 0)))) {
            if (event.data.u64 == kListening)
                accept_all();
            else if (event.data.u64 != kMade)  // by its edges, so that nobody has to read it
                on_event(event.data.u64, event.events);
        }
        if (!answers_.empty() || !due_.empty()) listener = listener_;
    }
    if (listener != nullptr) listener->packets_waiting();
}

void VsockHub::on_event(uint64_t id, uint32_t events) {
    using State = VsockConnection::State;
    VsockConnection* const connection = find(id);
    if (connection == nullptr) return;  // closed since
    VsockConnection& one = *connection;
    one.armed = -1;
    if ((events & (EPOLLHUP | EPOLLERR)) != 0) one.hung_up = true;
    if (one.state == State::kGreeting) return greet(one);
    if (one.state == State::kRequested && one.hung_up) return break_off(one);
    // What it sent before it went is still to be read; after that, the reset of both directions follows.
    if ((events & (EPOLLIN | EPOLLHUP | EPOLLERR)) != 0) one.readable = true;
    if (one.hung_up && one.ended) one.ended = false;
    if ((events & EPOLLOUT) != 0 || (one.hung_up && one.buffered() != 0)) {
        if (!one.flush()) return break_off(one);
        return flushed(one);
    }
    // The guest wants no data, so that nobody would read the end.
    if (one.hung_up && !one.wants_data()) return break_off(one);
    list(one);
    arm(one);
}

void VsockHub::accept_all() {
    listen_armed_ = false;
    while (connections_.size() < kMostConnections) {
        Fd fd(::accept4(fds_.listening.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
        if (!fd.valid()) {
            // No descriptor left: when a connection has ended, there is one.
            if (errno != EMFILE && errno != ENFILE) listen_again();
            return;
        }
        VsockConnection& one = add();
        one.fd = std::move(fd);
        if (watch(one))
            arm(one);
        else
            drop(one);
    }
}

void VsockHub::listen_again() {
    if (listen_armed_ || connections_.size() >= kMostConnections) return;
    epoll_event event{};
    event.events = EPOLLIN | EPOLLONESHOT;
    event.data.u64 = kListening;
    listen_armed_ = ::epoll_ctl(fds_.epoll.get(), EPOLL_CTL_MOD, fds_.listening.get(), &event) == 0;
}

// From the connector. The guest may have given it up meanwhile.
void VsockHub::on_connected(uint64_t id, Result<Fd> fd) {
    MutexLock lock(mutex_);
    --connecting_;
    VsockConnection* const one = find(id);
    if (one == nullptr) return;
    if (fd.ok()) one->fd = std::move(*fd);
    if (!fd.ok() || !watch(*one)) {  // nobody listens, or its backlog is full
        break_off(*one);
    } else {
        one->state = VsockConnection::State::kConnected;
        one->response_due = true;
        list(*one);
        arm(*one);
    }
    const uint64_t ring = 1;
    (void)!::write(fds_.made.get(), &ring, sizeof ring);
}

// It is armed where it waits for something.
bool VsockHub::watch(VsockConnection& one) {
    return add_to(fds_.epoll, one.fd, EPOLLONESHOT, one.id);
}

// Takes no byte behind the line: those are the guest's.
void VsockHub::greet(VsockConnection& one) {
    std::array<char, VsockConnection::kLongestGreeting> bytes;
    const ssize_t seen = ::recv(one.fd.get(), bytes.data(), bytes.size(), MSG_PEEK | MSG_DONTWAIT);
    if (seen < 0 && errno == EAGAIN) return arm(one);
    if (seen <= 0) return drop(one);
    const std::string_view text(bytes.data(), static_cast<size_t>(seen));
    const size_t line = text.find('\n');
    const size_t length = line == std::string_view::npos ? text.size() : line + 1;
    if (::recv(one.fd.get(), bytes.data(), length, MSG_DONTWAIT) != static_cast<ssize_t>(length))
        return drop(one);
    one.greeting += text.substr(0, std::min(length, line));
    if (one.greeting.size() > VsockConnection::kLongestGreeting) return drop(one);
    if (line == std::string_view::npos) return arm(one);
    const auto port = greeted_port(one.greeting);
    if (!port) return drop(one);
    name(one, {free_port(*port), *port});
    one.state = VsockConnection::State::kRequested;
    one.request_due = true;
    list(one);
    arm(one);
}

// One that has hung up would be told for ever: it is armed for what it can still take only.
void VsockHub::arm(VsockConnection& one) {
    const uint32_t wanted = one.interest();
    if (!one.fd.valid() || one.armed == wanted || (one.hung_up && wanted == 0)) return;
    epoll_event event{};
    event.events = wanted | EPOLLONESHOT;
    event.data.u64 = one.id;
    if (::epoll_ctl(fds_.epoll.get(), EPOLL_CTL_MOD, one.fd.get(), &event) == 0) one.armed = wanted;
}

}  // namespace carrel::virtio
