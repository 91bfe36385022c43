// A host with its io thread running, for tests: verbs from outside, and the events in their order.
#pragma once

#include <sys/poll.h>

#include <algorithm>
#include <array>
#include <future>
#include <iostream>
#include <memory>
#include <string>
#include <vector>

#include "tests/catch.h"
#include "vmm/host/host.h"

namespace carrel::test {

constexpr Nanoseconds kLong = 30 * kSecond;  // the machines are shared, and a sanitizer is slow

class FleetRig : public EventListener {
  public:
    explicit FleetRig(const HostResources& resources = {64 * kWholeCpu, 64 * 1024 * kMiB, 0, 0}) {
        auto made = Host::create(resources, opener_, spawner_, log_, clock_);
        REQUIRE(made.ok());
        host_ = std::move(*made);
        host_->fleet().listen(*this);
        REQUIRE(host_->start_scheduler({.cpus = 2}).ok());
        REQUIRE(host_->start().ok());
    }
    ~FleetRig() override { host_.reset(); }

    // On the io thread.
    template <class Task>
    auto on_io(Task task) -> decltype(task(std::declval<Fleet&>())) {
        std::promise<decltype(task(std::declval<Fleet&>()))> done;
        host_->post([&] { done.set_value(task(host_->fleet())); });
        return done.get_future().get();
    }
    // A verb that is done later.
    template <class Begin>
    Result<void> later(Begin begin) {
        auto done = std::make_shared<std::promise<Result<void>>>();
        auto future = done->get_future();
        host_->post([this, begin, done] {
            begin(host_->fleet(), [done](Result<void> result) { done->set_value(std::move(result)); });
        });
        return future.get();
    }
    Result<void> create(const MachineConfig& config) {
        return later([config](Fleet& fleet, Fleet::Done done) { fleet.create(config, std::move(done)); });
    }
    Result<void> start(const std::string& name) {
        return later([name](Fleet& fleet, Fleet::Done done) { fleet.start(name, std::move(done)); });
    }
    Result<void> remove(const std::string& name) {
        return later([name](Fleet& fleet, Fleet::Done done) { fleet.remove(name, std::move(done)); });
    }
    Result<void> pause(const std::string& name) {
        return later([name](Fleet& fleet, Fleet::Done done) { fleet.pause(name, std::move(done)); });
    }
    Result<void> resume(const std::string& name) {
        return later([name](Fleet& fleet, Fleet::Done done) { fleet.resume(name, false, std::move(done)); });
    }
    GuestState state(const std::string& name) {
        return on_io([name](Fleet& fleet) {
            const auto info = fleet.show(name);
            return info.ok() ? info->state : GuestState::kAbsent;
        });
    }
    GuestStats stats(const std::string& name) {
        std::promise<GuestStats> done;
        host_->post([&] {
            host_->fleet().stats(name, [&](Result<GuestStats> stats) { done.set_value(std::move(*stats)); });
        });
        return done.get_future().get();
    }
    GuestInfo info(const std::string& name) {
        return on_io([name](Fleet& fleet) { return fleet.show(name).value(); });
    }
    bool wait_for_state(const std::string& name, GuestState wanted) {
        const Nanoseconds deadline = clock_.now() + kLong;
        while (clock_.now() < deadline) {
            if (state(name) == wanted) return true;
            ::poll(nullptr, 0, 2);
        }
        return false;
    }
    // What the guest has said so far, and until it has said `words`.
    std::string said(const std::string& name) {
        return on_io([name](Fleet& fleet) {
            const auto ends = fleet.console(name);
            std::string text(ConsoleHistory::kSize, '\0');
            const auto piece =
                ends->transcript->read(ends->transcript->begin(), std::as_writable_bytes(std::span(text)));
            text.resize(piece.size);
            return text;
        });
    }
    bool wait_for_words(const std::string& name, const std::string& words, size_t times = 1) {
        const Nanoseconds deadline = clock_.now() + kLong;
        while (clock_.now() < deadline) {
            size_t seen = 0;
            const std::string text = said(name);
            for (size_t at = text.find(words); at != text.npos; at = text.find(words, at + 1)) ++seen;
            if (seen >= times) return true;
            ::poll(nullptr, 0, 2);
        }
        std::cout << said(name) << "\n";
        return false;
    }
    bool type(const std::string& name, const std::string& text) {
        return on_io([&](Fleet& fleet) {
            const auto ends = fleet.console(name);
            return ::write(ends->typing.get(), text.data(), text.size()) == static_cast<ssize_t>(text.size());
        });
    }
    std::vector<std::string> events() {
        return on_io([this](Fleet&) { return events_; });
    }
    void on_event(const GuestEvent& event) override {
        numbers_right_ = numbers_right_ && event.number == ++number_;
        if (event.kind == GuestEvent::Kind::kPausing) return;  // as busy as this machine is
        events_.push_back(event.guest + " " + event_name(event.kind) + " " + state_name(event.state));
    }
    bool numbers_right() {
        return on_io([this](Fleet&) { return numbers_right_; });
    }
    Host& host() { return *host_; }

  private:
    DirectOpener opener_;
    DirectSpawner spawner_;
    Log log_{STDERR_FILENO, LogLevel::kError};
    SystemClock clock_;
    std::vector<std::string> events_;
    uint64_t number_ = 0;
    bool numbers_right_ = true;
    std::unique_ptr<Host> host_;
};

// The embedded guest; it comes to its prompt, "carrel> ".
inline MachineConfig small(const std::string& name, const std::string& cmdline = {}) {
    MachineConfig config;
    config.name = name;
    config.memory = 32 * kMiB;
    config.boot.cmdline = cmdline;
    return config;
}

inline bool have_kvm(const char* test) {
    DirectOpener opener;
    const auto kvm = kvm::Kvm::open(opener);
    if (!kvm.ok()) std::cout << "SKIP " << test << ": " << kvm.error().sentence() << "\n";
    return kvm.ok();
}

}  // namespace carrel::test
