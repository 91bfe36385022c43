#include "vmm/control/server.h"

#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "vmm/control/control_json.h"
#include "vmm/control/routes.h"

namespace carrel::control {

Result<std::unique_ptr<Server>> Server::create(EventLoop& loop, Opener& opener, std::string path, Host& host,
                                               Log& log) {
    auto server = std::make_unique<Server>(loop, opener, std::move(path), host, log);
    constexpr mode_t kOwnerOnly = 0177;
    const mode_t before = ::umask(kOwnerOnly);
    auto listening = opener.listen(server->path_);
    ::umask(before);
    if (!listening.ok()) return std::move(listening).error();
    server->listening_ = std::move(*listening);
    TRY(loop.watch(server->listening_.get(), EPOLLIN, [s = server.get()](uint32_t) { s->accept(); }));
    host.fleet().listen(*server);
    return server;
}

Server::~Server() {
    host_.fleet().forget(*this);
    connections_.clear();
    if (!listening_.valid()) return;
    loop_.unwatch(listening_.get());
    opener_.remove(path_);
}

// Whoever runs this process, and root.
bool Server::may_talk(int fd) const {
    ucred peer{};
    socklen_t size = sizeof peer;
    if (::getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0) return false;
    return peer.uid == 0 || peer.uid == ::geteuid();
}

void Server::accept() {
    Fd fd(::accept4(listening_.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
    if (!fd.valid()) return rest();
    if (!may_talk(fd.get())) return log_.warning("control: a client of another user was refused");
    if (connections_.size() >= kMostClients) {
        const std::string full =
            text_of(answer_to(host_error("too many clients", "try again later"), Status::kHostFailed), false);
        (void)::send(fd.get(), full.data(), full.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
        return;
    }
    const uint64_t id = ++next_;
    auto connection = std::make_unique<Connection>(loop_, std::move(fd), id, *this);
    if (connection->begin().ok()) connections_.emplace(id, std::move(connection));
}

// Who waits to be accepted while we have no descriptor for him would have the loop spin.
void Server::rest() {
    constexpr Nanoseconds kRest = 200 * kMillisecond;
    loop_.change(listening_.get(), 0);
    loop_.after(kRest, [this, alive = std::weak_ptr(alive_)] {
        if (!alive.expired()) loop_.change(listening_.get(), EPOLLIN);
    });
}

void Server::on_closed(uint64_t id) {
    loop_.post([this, alive = std::weak_ptr(alive_), id] {
        if (alive.expired()) return;
        const auto found = connections_.find(id);
        if (found == connections_.end()) return;
        if (found->second->streams()) --streams_;
        connections_.erase(found);
    });
}

void Server::on_main(uint64_t id, std::function<void(Connection&)> task) {
    loop_.post([this, alive = std::weak_ptr(alive_), id, task = std::move(task)] {
        if (alive.expired()) return;
        const auto found = connections_.find(id);
        // One that has closed stays for the rest of its loop's round, and nothing is begun with it any more.
        if (found != connections_.end() && !found->second->closed()) task(*found->second);
    });
}

void Server::on_request(uint64_t id, Request request) {
    if (is_event_stream(request)) {
        ++streams_;  // before he knows that he hears of all from now on
        return connections_.at(id)->begin_events();
    }
    if (const auto guest = console_of(request)) return attach(id, *guest);
    host_.post([this, id, request = std::move(request)] {
        serve(host_.fleet(), request, [this, id](Answer answer) {
            on_main(id, [answer = std::move(answer)](Connection& connection) { connection.answer(answer); });
        });
    });
}

void Server::attach(uint64_t id, const std::string& guest) {
    host_.post([this, id, guest] {
        const auto ends = std::make_shared<Result<ConsoleEnds>>(host_.fleet().console(guest));
        on_main(id, [this, guest, ends](Connection& connection) {
            if (!ends->ok()) return connection.answer(answer_to(ends->error(), Status::kNotFound));
            const auto begun = connection.begin_console(guest, std::move(**ends));
            if (!begun.ok()) return connection.answer(answer_to(begun.error(), Status::kHostFailed));
            ++streams_;
        });
    });
}

void Server::on_event(const GuestEvent& event) {
    if (streams_.load() == 0) return;
    loop_.post([this, alive = std::weak_ptr(alive_), line = event_json(event), guest = event.guest,
                gone = event.kind == GuestEvent::Kind::kDeleted] {
        if (alive.expired()) return;
        for (const auto& [id, connection] : connections_) {
            connection->send_event(line);
            if (gone) connection->guest_is_gone(guest);
        }
    });
}

}  // namespace carrel::control
