// PolicyCore under events at random: what must hold whatever happens. Seeds are fixed.
#include <algorithm>
#include <map>
#include <vector>

#include "tests/catch.h"
#include "vmm/sched/policy_core.h"

using namespace carrel;
using namespace carrel::sched;

namespace {

constexpr Nanoseconds kPeriod = 10 * kMillisecond;

class Events {
  public:
    explicit Events(uint64_t seed) : state_(seed), core_(options()) {
        for (int i = 0; i < 4; ++i) add_guest();
    }

    void step() {
        now_ += static_cast<Nanoseconds>(below(600'000));
        if (const auto due = core_.next_event()) now_ = std::max(now_ - 500'000, std::min(now_, *due));
        now_ = std::max(now_, last_);
        last_ = now_;
        act();
        drive();
        check();
    }
    // Of all CPU time that was given, a capped guest has no more than its cap.
    void check_budgets() {
        for (const auto& [id, guest] : guests_) {
            if (guest.changed) continue;
            const double share =
                static_cast<double>(guest.given) / static_cast<double>(now_ - guest.since + kPeriod);
            CAPTURE(guest.given, now_ - guest.since);
            CHECK(share * kWholeCpu <= static_cast<double>(guest.cap) + 1);
        }
    }

  private:
    enum class State { kHalted, kReady, kRunning };
    struct Vcpu {
        GuestId guest;
        State state = State::kHalted;
        Nanoseconds lease = 0;
        bool recalled = false;
    };
    struct Guest {
        CpuShare cap = 0;
        Nanoseconds since = 0;
        Nanoseconds given = 0;  // in leases, less what came back
        bool changed = false;   // its quota
        uint32_t vcpus = 0;
    };

    PolicyCore::Options options() {
        PolicyCore::Options options;
        options.cpus = 1 + below(4);
        options.policy = kPolicies[below(kPolicies.size())];
        cpus_ = options.cpus;
        return options;
    }
    uint32_t below(size_t most) {
        state_ = state_ * 6364136223846793005 + 1442695040888963407;
        return static_cast<uint32_t>((state_ >> 33) % most);
    }
    CpuQuota quota() {
        CpuQuota quota;
        if (below(3) > 0) quota.cap = static_cast<CpuShare>(1 + below(150)) * kWholeCpu / 100;
        if (below(4) == 0) quota.reserve = std::min<CpuShare>(quota.cap.value_or(kWholeCpu), kWholeCpu / 10);
        quota.weight = 1 + below(1000);
        quota.priority = below(200);
        return quota;
    }

    void add_guest() {
        const CpuQuota q = quota();
        const GuestId id = core_.add_guest(q, now_);
        guests_[id] = {.cap = q.cap.value_or(0), .since = now_, .changed = !q.cap};
        for (uint32_t n = 1 + below(3); n > 0; --n) add_vcpu(id);
    }
    void add_vcpu(GuestId guest) {
        vcpus_[core_.add_vcpu(guest, now_)] = {.guest = guest};
        ++guests_[guest].vcpus;
    }
    void remove_vcpu(VcpuId id) {
        core_.remove_vcpu(id, now_);
        const GuestId guest = vcpus_[id].guest;
        guests_[guest].given -= vcpus_[id].state == State::kRunning ? 0 : 0;
        vcpus_.erase(id);
        if (--guests_[guest].vcpus > 0) return;
        core_.remove_guest(guest, now_);
        guests_.erase(guest);
    }

    void act() {
        if (vcpus_.empty()) return add_guest();
        auto at = vcpus_.begin();
        std::advance(at, below(vcpus_.size()));
        auto& [id, v] = *at;
        const uint32_t what = below(100);
        if (what < 2) return remove_vcpu(id);
        if (what < 4 && guests_.size() < 12) return add_guest();
        if (what < 5) return core_.set_policy(kPolicies[below(kPolicies.size())], now_);
        if (what < 6) return core_.set_cpus(cpus_ = 1 + below(4), now_);
        if (what < 8) {
            guests_[v.guest].changed = true;
            return core_.set_quota(v.guest, quota(), now_);
        }
        if (what < 10) return core_.charge_io(v.guest, below(50'000), now_);
        if (v.state == State::kHalted) {
            core_.wake(id, 0, now_);
            v.state = State::kReady;
        } else if (v.state == State::kRunning) {
            end(id, v, what % 2 == 0);
        }
    }
    void end(VcpuId id, Vcpu& v, bool halts) {
        const Nanoseconds most = std::min(v.lease, 2 * kMillisecond);
        const Nanoseconds used = below(2) == 0 ? most : below(static_cast<size_t>(most) + 1);
        if (v.lease != Lease::kUnlimited) guests_[v.guest].given -= v.lease - used;
        v.recalled = false;
        v.state = halts ? State::kHalted : State::kReady;
        halts ? core_.block(id, used, now_) : core_.expire(id, used, now_);
    }

    void drive() {
        while (const auto lease = core_.next_grant(now_)) {
            Vcpu& v = vcpus_.at(lease->vcpu);
            REQUIRE(v.state == State::kReady);
            REQUIRE(lease->length > 0);
            v.state = State::kRunning;
            v.lease = lease->length;
            if (lease->length != Lease::kUnlimited) guests_[v.guest].given += lease->length;
        }
        while (const auto id = core_.next_recall(now_)) {
            Vcpu& v = vcpus_.at(*id);
            REQUIRE(v.state == State::kRunning);
            REQUIRE_FALSE(v.recalled);
            v.recalled = true;
        }
    }

    void check() {
        uint32_t running = 0;
        uint32_t recalled = 0;
        for (const auto& [id, v] : vcpus_) running += v.state == State::kRunning;
        for (const auto& [id, v] : vcpus_) recalled += v.recalled;
        CAPTURE(core_.text(now_));
        // Never more leases than CPUs, unless there were more CPUs when they were given.
        REQUIRE(running - recalled <= cpus_);
        uint32_t waiting = 0;
        for (const auto& [id, guest] : guests_) {
            const auto state = core_.guest(id, now_);
            REQUIRE(state.running + state.waiting + state.throttled + state.halted == guest.vcpus);
            REQUIRE((state.throttled == 0 || state.quota.cap));
            waiting += state.waiting;
        }
        // No CPU is idle while somebody may run.
        if (running < cpus_) REQUIRE(waiting == 0);
        if (const auto due = core_.next_event()) REQUIRE(*due > now_);
    }

    uint64_t state_;
    uint32_t cpus_ = 1;
    Nanoseconds now_ = 0, last_ = 0;
    PolicyCore core_;
    std::map<GuestId, Guest> guests_;
    std::map<VcpuId, Vcpu> vcpus_;
};

}  // namespace

TEST_CASE("at random: no CPU is given twice or left idle, no budget is exceeded") {
    const uint64_t seed = GENERATE(range(1u, 41u));
    CAPTURE(seed);
    Events events(seed);
    for (int i = 0; i < 1500; ++i) events.step();
    events.check_budgets();
}

TEST_CASE("tags of a guest of weight 1 that runs for days don't overflow") {
    PolicyCore::Options options;
    PolicyCore core(options);
    CpuQuota light;
    light.weight = 1;
    std::vector<VcpuId> vcpus;
    for (int i = 0; i < 2; ++i) {
        vcpus.push_back(core.add_vcpu(core.add_guest(light, 0), 0));
        core.wake(vcpus.back(), 0, 0);
    }
    Nanoseconds now = 0;
    std::vector<int> turns(2);
    for (int hour = 0; hour < 500; ++hour) {
        const auto lease = core.next_grant(now);
        REQUIRE(lease);
        ++turns[static_cast<uint32_t>(lease->vcpu)];
        now += 3600 * kSecond;
        core.expire(lease->vcpu, 3600 * kSecond, now);  // far beyond its lease
    }
    CHECK(turns == std::vector<int>{250, 250});
}
