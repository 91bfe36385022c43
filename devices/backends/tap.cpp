#include "devices/backends/tap.h"

#include <linux/if_tun.h>
#include <net/if.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/uio.h>

#include <cerrno>
#include <utility>

#include "devices/backends/tap_offloads.h"

namespace carrel {
namespace {
// A frame of so many bytes is one that the other side's segmentation has left whole: part of a stream.
constexpr ssize_t kMuch = 16384;
}  // namespace

Tap::Tap(EventLoop& loop, TapInterface interface)
    : loop_(loop), interface_(std::move(interface)), queues_(interface_.queues.size()) {}

Tap::~Tap() {
    for (unsigned pair = 0; pair < pairs(); ++pair) stop_watching(pair);
}

uint64_t Tap::features() const {
    return tap_features(interface_.udp_segmentation);
}

void Tap::attach(NetListener& listener) {
    listener_ = &listener;
    for (unsigned pair = 0; pair < pairs(); ++pair) want(pair, EPOLLIN | EPOLLOUT, false);
}

void Tap::detach(NetListener& listener) {
    if (listener_ != &listener) return;
    listener_ = nullptr;
    for (unsigned pair = 0; pair < pairs(); ++pair) want(pair, EPOLLIN | EPOLLOUT, false);
}

void Tap::agree(uint64_t features, unsigned pairs_used) {
    const unsigned offloads = tap_offloads(features);
    // Refused, it gives finished frames, which every driver takes.
    if (offloads != offloads_ && ::ioctl(fd(0), TUNSETOFFLOAD, offloads) == 0) offloads_ = offloads;
    for (unsigned pair = 1; pair < pairs(); ++pair) use(pair, pair < pairs_used);
}

// A queue that isn't used is taken from the kernel's choice, so that no frame waits there for nobody.
void Tap::use(unsigned pair, bool on) {
    Queue& queue = queues_[pair];
    if (queue.attached == on) return;
    // epoll tells of a detached one that it is in trouble, all the time.
    if (!on) stop_watching(pair);
    ifreq request{};
    request.ifr_flags = static_cast<short>(on ? IFF_ATTACH_QUEUE : IFF_DETACH_QUEUE);
    if (::ioctl(fd(pair), TUNSETQUEUE, &request) == 0) queue.attached = on;
}

void Tap::watch(unsigned pair, bool on) {
    want(pair, EPOLLIN, on);
}

void Tap::want(unsigned pair, uint32_t events, bool on) {
    Queue& queue = queues_[pair];
    queue.wanted = on ? queue.wanted | events : queue.wanted & ~events;
    if (!link_up() || !queue.attached || (queue.watched && queue.wanted == queue.registered)) return;
    if (queue.watched) {
        loop_.change(fd(pair), queue.wanted);
    } else {
        const auto watched =
            loop_.watch(fd(pair), queue.wanted, [this, pair](uint32_t ready) { on_event(pair, ready); });
        queue.watched = watched.ok();
    }
    queue.registered = queue.wanted;
}

void Tap::stop_watching(unsigned pair) {
    Queue& queue = queues_[pair];
    if (std::exchange(queue.watched, false)) loop_.unwatch(fd(pair));
    queue.wanted = queue.registered = 0;
}

void Tap::on_event(unsigned pair, uint32_t events) {
    if ((events & (EPOLLERR | EPOLLHUP)) != 0) return on_gone();
    const uint32_t ready = events & queues_[pair].wanted;
    if ((ready & EPOLLOUT) != 0) {
        want(pair, EPOLLOUT, false);
        if (listener_ != nullptr) listener_->room(pair);
    }
    if ((ready & EPOLLIN) != 0 && listener_ != nullptr) listener_->frames_waiting(pair);
}

// Somebody has deleted the interface. The descriptors are of no further use.
void Tap::on_gone() {
    up_ = false;
    for (unsigned pair = 0; pair < pairs(); ++pair) stop_watching(pair);
    if (listener_ == nullptr) return;
    listener_->link_changed();
    for (unsigned pair = 0; pair < pairs(); ++pair) listener_->room(pair);  // what waited is lost
}

ssize_t Tap::receive(unsigned pair, std::span<const iovec> pieces) {
    const ssize_t got = ::readv(fd(pair), pieces.data(), static_cast<int>(pieces.size()));
    if (got < 0) return -errno;
    if (got >= kMuch) loop_.moved_much();
    return got;
}

ssize_t Tap::send(unsigned pair, std::span<const iovec> pieces) {
    const ssize_t sent = ::writev(fd(pair), pieces.data(), static_cast<int>(pieces.size()));
    if (sent >= kMuch) loop_.moved_much();
    if (sent >= 0) return sent;
    if (errno != EAGAIN) return -errno;
    want(pair, EPOLLOUT, true);
    return -EAGAIN;
}

}  // namespace carrel
