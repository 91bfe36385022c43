#include "devices/backends/passt.h"

#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <utility>

#include "devices/backends/frame_pieces.h"

namespace carrel {
namespace {

constexpr Nanoseconds kFirstDelay = 100 * kMillisecond;
constexpr Nanoseconds kLongestDelay = 10 * kSecond;
constexpr Nanoseconds kLivedWell = 10 * kSecond;  // the next one starts after the first delay again
// passt's largest, of which it makes the guest's by DHCP: 65,535 less an Ethernet header, in words.
constexpr uint16_t kLargestMtu = 65520;
constexpr int kSocketBuffer = 1 << 20;  // the kernel may give less
constexpr size_t kWordsKept = 1024;

std::string forward_spec(const PortForward& forward) {
    const std::string address = forward.address.empty() ? "" : forward.address + "/";
    return address + std::to_string(forward.host) + ":" + std::to_string(forward.guest);
}

}  // namespace

std::vector<std::string> passt_command(const PasstOptions& options) {
    std::vector<std::string> command{"passt",
                                     "--foreground",
                                     "--quiet",
                                     "--mtu",
                                     std::to_string(options.mtu),
                                     "--fd",
                                     std::to_string(kPasstSocket)};
    for (const PortForward& forward : options.forwards) {
        command.emplace_back(forward.protocol == PortForward::Protocol::kTcp ? "--tcp-ports" : "--udp-ports");
        command.push_back(forward_spec(forward));
    }
    return command;
}

Result<std::unique_ptr<Passt>> Passt::create(const Services& services, PasstOptions options) {
    if (options.mtu == 0) options.mtu = kLargestMtu;
    auto passt = std::make_unique<Passt>(services, std::move(options));
    TRY_ASSIGN(passt->again_, LoopSignal::create(services.loop, [raw = passt.get()] { raw->look_again(); }));
    TRY(passt->start());
    return passt;
}

Passt::Passt(const Services& services, PasstOptions options)
    : loop_(services.loop),
      spawner_(services.spawner),
      log_(services.log),
      options_(std::move(options)),
      delay_(kFirstDelay) {}

Passt::~Passt() {
    if (timer_ != 0) loop_.cancel(timer_);
    close_all();
}

void Passt::close_all() {
    for (const int fd : {socket_.get(), words_.get(), child_.pidfd()}) {
        if (fd >= 0) loop_.unwatch(fd);
    }
    socket_.reset();
    words_.reset();
    child_ = Child();
}

Result<void> Passt::start() {
    std::array<int, 2> ends{}, words{};
    if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()) != 0)
        return os_error(errno, "cannot create a socket for passt");
    socket_ = Fd(ends[0]);
    const Fd theirs(ends[1]);
    if (::pipe2(words.data(), O_CLOEXEC | O_NONBLOCK) != 0)
        return os_error(errno, "cannot create a pipe for passt");
    words_ = Fd(words[0]);
    const Fd their_words(words[1]);
    (void)::setsockopt(socket_.get(), SOL_SOCKET, SO_SNDBUF, &kSocketBuffer, sizeof kSocketBuffer);
    const std::array<Inherited, 2> inherited{{{theirs.get(), kPasstSocket}, {their_words.get(), 2}}};
    auto child = spawner_.spawn(passt_command(options_), inherited);
    if (!child.ok())
        return host_error(child.error().what,
                          "--net user needs passt: apt install passt, or take another network");
    child_ = std::move(child).value();
    return watch_descriptors();
}

Result<void> Passt::watch_descriptors() {
    started_ = loop_.clock().now();
    want_room_ = false;
    TRY(loop_.watch(socket_.get(), watched_ ? uint32_t{EPOLLIN} : 0,
                    [this](uint32_t events) { on_socket(events); }));
    TRY(loop_.watch(words_.get(), EPOLLIN, [this](uint32_t) { read_words(); }));
    TRY(loop_.watch(child_.pidfd(), EPOLLIN, [this](uint32_t) { on_ended(); }));
    up_.store(true, std::memory_order_relaxed);
    return {};
}

void Passt::attach(NetListener& listener) {
    listener_ = &listener;
    refused_ = false;
    watch(0, false);
}

void Passt::detach(NetListener& listener) {
    if (listener_ != &listener) return;
    watch(0, false);
    listener_ = nullptr;
}

void Passt::watch(unsigned, bool on) {
    if (on && reader_.front()) again_->raise();
    if (std::exchange(watched_, on) != on) want(want_room_);
}

ssize_t Passt::receive(unsigned, std::span<const iovec> pieces) {
    while (socket_.valid()) {
        if (const auto frame = reader_.front()) {
            const ssize_t bytes = scatter(pieces, *frame);
            reader_.pop();
            return bytes;
        }
        if (reader_.corrupt()) {
            give_up("sent a frame of an impossible length");
            break;
        }
        const std::span<std::byte> space = reader_.space();
        const ssize_t got = ::recv(socket_.get(), space.data(), space.size(), MSG_DONTWAIT);
        if (got > 0) {
            reader_.added(static_cast<size_t>(got));
        } else if (got < 0 && errno == EAGAIN) {
            break;
        } else if (got == 0 || errno != EINTR) {
            give_up();
            break;
        }
    }
    return -EAGAIN;
}

ssize_t Passt::send(unsigned, std::span<const iovec> pieces) {
    if (!socket_.valid()) return -ENETDOWN;
    const int error = writer_.send(socket_.get(), pieces.subspan(1));
    if (error == 0) return static_cast<ssize_t>(bytes_in(pieces));
    if (error == -EAGAIN) {
        refused_ = true;
        want(true);
    } else if (error == -EPIPE || error == -ECONNRESET) {
        give_up();
    }
    return error;
}

void Passt::flush(unsigned) {
    if (!socket_.valid() || want_room_) return;
    const int error = writer_.flush(socket_.get());
    if (error == -EAGAIN) {
        want(true);
    } else if (error != 0) {
        give_up();
    }
}

void Passt::want(bool room) {
    want_room_ = room;
    const uint32_t events = (watched_ ? uint32_t{EPOLLIN} : 0) | (want_room_ ? uint32_t{EPOLLOUT} : 0);
    if (socket_.valid()) loop_.change(socket_.get(), events);
}

void Passt::on_socket(uint32_t events) {
    if ((events & EPOLLOUT) != 0) on_room();
    if ((events & EPOLLIN) != 0) {
        tell_frames();
    } else if ((events & (EPOLLHUP | EPOLLERR)) != 0) {
        lose();
    }
}

void Passt::on_room() {
    want(false);
    flush(0);
    if (!want_room_ && std::exchange(refused_, false) && listener_ != nullptr) listener_->room(0);
}

void Passt::tell_frames() {
    if (listener_ == nullptr) return;
    listener_->frames_waiting(0);
    // Those that the device has left in our buffer don't make the socket readable.
    if (watched_ && reader_.front()) again_->raise();
}

void Passt::look_again() {
    if (broken_) return lose();
    if (watched_ && reader_.front()) tell_frames();
}

// Within a call of the device's, which mustn't be called back: look_again() goes on.
void Passt::give_up(const char* why) {
    broken_ = true;
    if (why != nullptr) trouble_ = why;
    again_->raise();
}

// What we have of it goes at once, the process follows: on_ended().
void Passt::lose() {
    if (!socket_.valid()) return;
    up_.store(false, std::memory_order_relaxed);
    loop_.unwatch(socket_.get());
    socket_.reset();
    reader_.clear();
    writer_.clear();
    want_room_ = false;
    broken_ = false;
    child_.kill();
    if (listener_ == nullptr) return;
    listener_->link_changed();
    if (std::exchange(refused_, false)) listener_->room(0);
}

// True when there may be more.
bool Passt::read_words() {
    std::array<char, kWordsKept> some{};
    const ssize_t got = ::read(words_.get(), some.data(), some.size());
    if (got == 0) loop_.unwatch(words_.get());
    if (got <= 0) return false;
    said_.append(some.data(), static_cast<size_t>(got));
    if (said_.size() > kWordsKept) said_.erase(0, said_.size() - kWordsKept);
    return true;
}

// The last line that says something. Where there is no syslog, passt says so at each of its lines.
std::string Passt::last_words() {
    std::string last;
    for (size_t begin = 0; begin < said_.size();) {
        const size_t end = std::min(said_.find('\n', begin), said_.size());
        const std::string line = said_.substr(begin, end - begin);
        if (!line.empty() && !line.starts_with("Failed to send ")) last = line;
        begin = end + 1;
    }
    said_.clear();
    return last;
}

void Passt::on_ended() {
    loop_.unwatch(child_.pidfd());
    std::string how = child_.ended().value_or("ended");
    while (read_words()) {
    }
    const std::string words = last_words();
    if (how.starts_with("exited") && !words.empty()) how += " (" + words + ")";
    if (trouble_ != nullptr) how = std::exchange(trouble_, nullptr);
    lose();
    close_all();
    if (loop_.clock().now() - started_ >= kLivedWell) delay_ = kFirstDelay;
    say("passt " + how + ": the link is down; passt is started again in " +
        std::to_string(delay_ / kMillisecond) + " ms");
    start_later();
}

// What happens again and again is said a few times only.
void Passt::say(const std::string& text) {
    if (delay_ < kLongestDelay) {
        log_.warning("--net user: {}", text);
    } else {
        log_.debug("--net user: {}", text);
    }
}

void Passt::start_later() {
    timer_ = loop_.after(delay_, [this] {
        timer_ = 0;
        start_again();
    });
    delay_ = std::min(2 * delay_, kLongestDelay);
}

void Passt::start_again() {
    if (auto started = start(); !started.ok()) {
        close_all();
        say(started.error().sentence());
        return start_later();
    }
    log_.info("--net user: passt runs again, and the link is up");
    if (listener_ != nullptr) listener_->link_changed();
}

}  // namespace carrel
