// A vCPU's thread without a vCPU: it spins under leases, or halts when told, so that the scheduler can be
// tested on real threads and real time without KVM.
#pragma once

#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <fstream>
#include <memory>
#include <string>
#include <thread>

#include "tests/catch.h"
#include "vmm/base/signals.h"
#include "vmm/sched/lease_holder.h"
#include "vmm/sched/lease_timers.h"
#include "vmm/sched/scheduler.h"
#include "vmm/sched/vcpu_times.h"

namespace carrel::sched {

class Spinner final : public ScheduledVcpu, private LeaseVcpu {
  public:
    Spinner(LeaseSource& leases, GuestId guest) : leases_(leases) {
        install_handler();
        auto place = leases.add_vcpu(guest, *this);
        REQUIRE(place.ok());
        place_ = *place;
        lease_ = std::make_unique<LeaseHolder>(leases.board(), place_, static_cast<LeaseVcpu&>(*this));
        thread_ = std::thread([this] { run(); });
        while (tid_ == 0) std::this_thread::yield();
    }
    ~Spinner() override {
        stopped_ = true;
        kick();
        thread_.join();
        leases_.remove_vcpu(place_);
    }

    // From now on it is as a vCPU after HLT, or goes on as after an interrupt.
    void halt(bool halted) { halted_ = halted; }
    // It stands, and `why` counts how long, until it is told another reason; null: it goes on. The stamps are
    // ours, and made while it sleeps: its own might be followed, or preceded, by a wait for a host CPU.
    void stand(WaitStamp* why) {
        stood_ = nullptr;
        WaitStamp* const before = standing_.exchange(why);
        if (before != nullptr) before->end(monotonic_time());
        standing_.notify_all();
        if (why == nullptr) return;
        while (stood_ != why || !sleeps()) ::usleep(20);
        why->begin(monotonic_time());
    }
    // From now on it leaves its CPU to others, as a vCPU that is paused, or goes on.
    void step_aside(bool aside) {
        aside_ = aside;
        kick();
    }
    bool is_aside() const { return is_aside_; }
    Nanoseconds cpu() const { return cpu_; }
    Nanoseconds longest_hold() const { return longest_hold_; }
    Nanoseconds waited() { return leases_.waited_for_quota(place_); }

    int thread() const { return tid_; }  // gettid(2); 0: it hasn't begun

    bool seems_halted() const override { return halted_; }
    void kick() override {
        kicked_ = true;
        lease_->nudge();
    }

  private:
    static inline thread_local std::atomic<bool>* this_thread_kicked = nullptr;
    static void install_handler() {
        struct sigaction action {};
        action.sa_handler = [](int) {
            if (this_thread_kicked != nullptr) *this_thread_kicked = true;
        };
        REQUIRE(::sigaction(signals::kick(), &action, nullptr) == 0);
    }

    // proc_pid_stat(5): the state follows the name, which is in brackets.
    bool sleeps() const {
        std::ifstream file("/proc/self/task/" + std::to_string(tid_) + "/stat");
        std::string text;
        std::getline(file, text);
        return text.find(") S ") != text.npos;
    }
    void run() {
        this_thread_kicked = &kicked_;
        tid_ = ::gettid();
        if (!lease_->begin().ok()) return;
        while (!stopped_) {
            if (aside_) {
                lease_->step_aside();
                is_aside_ = true;
                while (aside_ && !stopped_) std::this_thread::sleep_for(std::chrono::milliseconds(1));
                is_aside_ = false;
                kicked_ = true;
                continue;
            }
            if (kicked_.exchange(false) && !lease_->look()) {
                kicked_ = true;
                continue;
            }
            if (WaitStamp* const why = standing_; why != nullptr) {
                stood_ = why;
                standing_.wait(why);
                continue;
            }
            cpu_ = thread_cpu_time();
            if (halted_) std::this_thread::sleep_for(std::chrono::milliseconds(5));
        }
        lease_->end();
    }

    bool is_halted() const override { return halted_; }
    bool is_stopped() const override { return stopped_ || aside_; }
    void on_hold() override {}
    void on_held(Nanoseconds time) override { longest_hold_ = std::max<Nanoseconds>(longest_hold_, time); }

    LeaseSource& leases_;
    uint32_t place_ = 0;
    std::atomic<int> tid_{0};
    std::atomic<bool> kicked_{true};
    std::atomic<bool> halted_{false};
    std::atomic<bool> stopped_{false};
    std::atomic<bool> aside_{false}, is_aside_{false};
    std::atomic<WaitStamp*> standing_{nullptr};
    std::atomic<WaitStamp*> stood_{nullptr};  // as its thread has seen it
    std::atomic<Nanoseconds> cpu_{0};
    std::atomic<Nanoseconds> longest_hold_{0};
    std::unique_ptr<LeaseHolder> lease_;
    std::thread thread_;
};

}  // namespace carrel::sched
