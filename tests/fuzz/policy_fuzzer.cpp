// PolicyCore driven by whatever calls a driver could make, in any order and with any times: it keeps its
// promises (no more leases than CPUs, no CPU idle while one may run, recalls only of those that run).
#include <map>

#include "tests/fuzz/script.h"
#include "vmm/sched/policy_core.h"

using namespace carrel;
using namespace carrel::sched;
using carrel::test::require;
using carrel::test::Script;

namespace {

class Driver {
  public:
    explicit Driver(std::span<const std::byte> bytes) : script_(bytes), core_({.cpus = cpus_}) {}

    void run() {
        while (!script_.done()) {
            now_ += script_.number<uint32_t>() % 20'000'000;
            act();
            drive();
        }
        (void)core_.text(now_);
    }

  private:
    struct Vcpu {
        GuestId guest;
        bool runs = false;
        bool wants = false;
    };

    CpuQuota quota() {
        CpuQuota quota;
        if (script_.byte() % 2 == 0) quota.cap = CpuQuota::kLeastCap + script_.number<uint32_t>();
        quota.weight = 1 + script_.number<uint16_t>() % CpuQuota::kMostWeight;
        quota.reserve = script_.byte() * 1000;
        quota.burst = script_.number<uint32_t>() % CpuQuota::kLongestPeriod;
        quota.period = CpuQuota::kShortestPeriod * (1 + script_.byte());
        quota.priority = script_.number<uint32_t>();
        return quota;
    }

    void act() {
        const uint8_t what = script_.byte() % 16;
        if (what == 0 && guests_.size() < 8) guests_[core_.add_guest(quota(), now_)] = 0;
        if (what == 1) core_.set_policy(script_.pick(kPolicies), now_);
        if (what == 2) core_.set_cpus(cpus_ = 1 + script_.byte() % 5, now_);
        if (guests_.empty()) return;
        auto guest = guests_.begin();
        std::advance(guest, script_.byte() % guests_.size());
        if (what == 3) core_.set_quota(guest->first, quota(), now_);
        if (what == 4) core_.charge_io(guest->first, script_.number<uint32_t>(), now_);
        if (what == 5 && vcpus_.size() < 32) {
            vcpus_[core_.add_vcpu(guest->first, now_)] = {.guest = guest->first};
            ++guest->second;
        }
        if (what == 6 && guest->second == 0) {
            core_.remove_guest(guest->first, now_);
            guests_.erase(guest);
        } else if (what > 6) {
            act_on_vcpu(what);
        }
    }

    void act_on_vcpu(uint8_t what) {
        if (vcpus_.empty()) return;
        auto at = vcpus_.begin();
        std::advance(at, script_.byte() % vcpus_.size());
        auto& [id, v] = *at;
        const Nanoseconds used = script_.number<uint32_t>();
        if (what == 7) {
            core_.remove_vcpu(id, now_);
            --guests_[v.guest];
            vcpus_.erase(at);
        } else if (what < 11) {
            core_.wake(id, used, now_);
            v.wants = true;
        } else if (what < 13) {
            core_.block(id, used, now_);
            v.wants = v.runs = false;
        } else if (what < 15) {
            core_.expire(id, used, now_);
            v.runs = false;
        } else {
            core_.charge(id, used, now_);
        }
    }

    void drive() {
        while (const auto lease = core_.next_grant(now_)) {
            Vcpu& v = vcpus_.at(lease->vcpu);
            require(v.wants && !v.runs && lease->length > 0);
            v.runs = true;
        }
        while (const auto id = core_.next_recall(now_)) require(vcpus_.at(*id).runs);
        uint32_t running = 0, waiting = 0;
        for (const auto& [id, vcpus] : guests_) {
            const auto state = core_.guest(id, now_);
            require(state.running + state.waiting + state.throttled + state.halted == vcpus);
            running += state.running;
            waiting += state.waiting;
        }
        require(running >= cpus_ || waiting == 0);
        const auto due = core_.next_event();
        require(!due || *due > now_);
    }

    Script script_;
    uint32_t cpus_ = 2;
    Nanoseconds now_ = 0;
    PolicyCore core_;
    std::map<GuestId, uint32_t> guests_;  // and how many vCPUs they have
    std::map<VcpuId, Vcpu> vcpus_;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    Driver(std::as_bytes(std::span(data, size))).run();
    return 0;
}
