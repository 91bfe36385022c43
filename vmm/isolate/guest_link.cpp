#include "vmm/isolate/guest_link.h"

#include <sys/epoll.h>

#include <utility>

namespace carrel::isolate {
namespace {

Error gone() {
    return host_error("the guest's process has gone before it answered", "see carrel ctl list");
}

}  // namespace

GuestLink::~GuestLink() {
    spare();
    answer_all();
    if (child_.pidfd() >= 0) loop_.unwatch(child_.pidfd());
}

Result<void> GuestLink::begin(Child child, Fd socket) {
    child_ = std::move(child);
    TRY_ASSIGN(socket_, MessageSocket::create(
                            loop_, std::move(socket),
                            {.on_message = [this](std::span<const std::byte> bytes,
                                                  Fd with) { on_message(bytes, std::move(with)); },
                             .on_trouble = [this](MessageSocket::Trouble trouble) { on_trouble(trouble); }}));
    return loop_.watch(child_.pidfd(), EPOLLIN, [this](uint32_t) { on_end(); });
}

void GuestLink::give(Order order, Told told) {
    if (!socket_) return told(gone());
    order.id = ++last_;
    const Nanoseconds time = order.what == Order::What::kCreate ? kLoadTime : kAnswerTime;
    const uint64_t timer = loop_.after(time, [this, id = order.id] {
        waiting_.at(id).timer = 0;
        kill("its process didn't answer in time");
    });
    waiting_.emplace(order.id, Waiting{std::move(told), timer});
    socket_->send(to_bytes(std::move(order)));
}

void GuestLink::on_message(std::span<const std::byte> bytes, Fd with) {
    auto word = word_of(bytes);
    if (!word) return kill("its process said what makes no sense");
    if (auto* const answer = std::get_if<Answer>(&*word)) return on_answer(std::move(*answer));
    uint64_t left_out = 0;
    if (!news_.allow(loop_.clock().now(), left_out)) return kill("its process told too much");
    if (const auto* const seated = std::get_if<Seated>(&*word))
        return listener_.on_seated(seated->place, std::move(with));
    listener_.on_news(std::move(std::get<News>(*word)));
}

void GuestLink::on_answer(Answer answer) {
    auto node = waiting_.extract(answer.order);
    if (node.empty()) return kill("its process answered what it wasn't asked");
    if (node.mapped().timer != 0) loop_.cancel(node.mapped().timer);
    if (answer.refused) return node.mapped().told(std::move(*answer.refused));
    node.mapped().told(std::move(answer));
}

void GuestLink::on_trouble(MessageSocket::Trouble trouble) {
    switch (trouble) {
        case MessageSocket::Trouble::kClosed: return expect_exit();
        case MessageSocket::Trouble::kTooLong: return kill("its process sent a message that is too long");
        case MessageSocket::Trouble::kFull: return kill("its process reads nothing");
    }
}

void GuestLink::kill_after(Nanoseconds patience, const std::string& why) {
    spare();
    kill_timer_ = loop_.after(patience, [this, why] {
        kill_timer_ = 0;
        kill(why);
    });
}

void GuestLink::spare() {
    if (kill_timer_ != 0) loop_.cancel(std::exchange(kill_timer_, 0));
}

void GuestLink::kill(const std::string& why) {
    if (why_.empty()) why_ = why;
    child_.kill();
}

void GuestLink::on_end() {
    loop_.unwatch(child_.pidfd());
    listener_.on_exit();
    socket_->drain();
    socket_.reset();
    const std::string how = "its process " + child_.ended().value_or("ended");
    answer_all();
    listener_.on_gone(why_.empty() ? how : why_);
}

void GuestLink::answer_all() {
    for (auto& [id, waiting] : waiting_) {
        if (waiting.timer != 0) loop_.cancel(waiting.timer);
        // Not from here: who is told may destroy this.
        loop_.post([told = std::move(waiting.told)] { told(gone()); });
    }
    waiting_.clear();
}

// The loop keeps what is left of it.
void GuestLink::part(std::function<void()> done) {
    socket_.reset();
    if (child_.pidfd() < 0) return done();
    loop_.unwatch(child_.pidfd());
    child_.kill();
    const auto child = std::make_shared<Child>(std::move(child_));
    const auto watched = loop_.watch(child->pidfd(), EPOLLIN, [&loop = loop_, child, done](uint32_t) {
        loop.unwatch(child->pidfd());
        (void)child->ended();
        done();
    });
    if (!watched.ok()) done();
}

}  // namespace carrel::isolate
