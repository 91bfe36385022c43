#include "vmm/sim/simulator.h"

#include <algorithm>

#include "vmm/sim/burst_source.h"
#include "vmm/sim/event_queue.h"
#include "vmm/sim/meter.h"

namespace carrel::sim {
namespace {

using sched::Lease;
using sched::VcpuId;

// The core numbers vCPUs and guests in the order in which they are added, and so do we.
constexpr uint32_t number(VcpuId id) {
    return static_cast<uint32_t>(id);
}

struct SimulatedVcpu {
    enum class State : uint8_t { kHalted, kWaits, kRuns };
    uint32_t guest;
    BurstSource source;
    State state = State::kHalted;
    bool responded = false;
    uint32_t lease = 0;         // counts them
    uint32_t row = UINT32_MAX;  // in the chart
    Burst next{0, 0};           // the burst that it is in, or that comes next
    Nanoseconds remaining = 0;  // of it
    Nanoseconds waits_since = 0;
    Nanoseconds runs_from = 0;
};

}  // namespace

class Simulator::Host {
  public:
    explicit Host(const Scenario& scenario);

    void run_until(Nanoseconds time);
    Outcome finish();
    sched::PolicyCore& core() { return core_; }
    Nanoseconds used(uint32_t guest) const;
    Nanoseconds end() const { return scenario_.until; }

  private:
    using State = SimulatedVcpu::State;

    void add_guest(const ScenarioGuest& guest, std::string name);
    void add_vcpu(uint32_t guest, const Workload& workload);
    void handle(const Event& event);
    void wake(uint32_t id);
    void block(uint32_t id);
    void expire(uint32_t id);
    void start(const Lease& lease);
    void stop_early(uint32_t id);
    void plan_next(uint32_t id, Nanoseconds from);
    Nanoseconds do_io(uint32_t guest);
    bool over() const;
    void drive();
    void record(uint32_t id, bool runs, Nanoseconds from, Nanoseconds to);
    void close(uint32_t id);
    double fairness() const;

    const Scenario& scenario_;
    sched::PolicyCore core_;
    EventQueue events_;
    std::vector<SimulatedVcpu> vcpus_;
    std::vector<Meter> meters_;
    std::vector<const ScenarioGuest*> guests_;
    Chart chart_;
    Random seeds_;
    Nanoseconds now_ = 0;
    uint64_t leases_ = 0;
};

Simulator::Host::Host(const Scenario& scenario)
    : scenario_(scenario), core_(scenario.scheduler), seeds_(scenario.seed) {
    chart_.from = scenario.chart_from;
    chart_.to = std::min(scenario.chart_to, scenario.until);
    for (const ScenarioGuest& guest : scenario.guests)
        for (uint32_t i = 1; i <= guest.count; ++i)
            add_guest(guest, guest.count == 1 ? guest.name : guest.name + "-" + std::to_string(i));
}

void Simulator::Host::add_guest(const ScenarioGuest& guest, std::string name) {
    const auto id = static_cast<uint32_t>(guests_.size());
    guests_.push_back(&guest);
    meters_.emplace_back(guest, std::move(name));
    const sched::GuestId in_core = core_.add_guest(guest.quota, 0);
    for (uint32_t i = 0; i < guest.vcpus; ++i) {
        core_.add_vcpu(in_core, 0);
        add_vcpu(id, guest.workload);
    }
}

void Simulator::Host::add_vcpu(uint32_t guest, const Workload& workload) {
    SimulatedVcpu vcpu{.guest = guest, .source = BurstSource(workload, seeds_.next())};
    if (chart_.rows.size() < Chart::kMostRows) {
        vcpu.row = static_cast<uint32_t>(chart_.rows.size());
        chart_.rows.push_back({.name = {}, .guest = guest});
    } else {
        ++chart_.left_out;
    }
    vcpus_.push_back(vcpu);
    plan_next(static_cast<uint32_t>(vcpus_.size() - 1), 0);
}

// The burst after the last; it may have come while that one wasn't done yet.
void Simulator::Host::plan_next(uint32_t id, Nanoseconds from) {
    SimulatedVcpu& v = vcpus_[id];
    const auto burst = v.source.next(from);
    if (!burst) return;
    v.next = *burst;
    events_.add(std::max(burst->arrival, now_), Event::Kind::kWoke, id, v.lease);
}

void Simulator::Host::run_until(Nanoseconds time) {
    drive();  // the core may have been told something
    for (;;) {
        const Nanoseconds timer = core_.next_event().value_or(time + 1);
        const Nanoseconds next = std::min(timer, events_.empty() ? time + 1 : events_.time());
        if (next > time) break;
        now_ = std::max(now_, next);
        while (!events_.empty() && events_.time() <= now_) handle(events_.take());
        drive();
    }
    if (!over()) now_ = time;
}

bool Simulator::Host::over() const {
    const auto halted = [](const SimulatedVcpu& v) { return v.state == State::kHalted; };
    return events_.empty() && std::all_of(vcpus_.begin(), vcpus_.end(), halted);
}

void Simulator::Host::handle(const Event& event) {
    if (event.kind != Event::Kind::kWoke && event.lease != vcpus_[event.vcpu].lease) return;
    switch (event.kind) {
        case Event::Kind::kBlocked: return block(event.vcpu);
        case Event::Kind::kWoke: return wake(event.vcpu);
        case Event::Kind::kExpired: return expire(event.vcpu);
    }
}

// As the real backend does after each event.
void Simulator::Host::drive() {
    while (const auto lease = core_.next_grant(now_)) start(*lease);
    while (const auto vcpu = core_.next_recall(now_)) stop_early(number(*vcpu));
}

void Simulator::Host::wake(uint32_t id) {
    SimulatedVcpu& v = vcpus_[id];
    v.state = State::kWaits;
    v.remaining = v.next.length;
    v.responded = false;
    v.waits_since = v.next.arrival;
    meters_[v.guest].burst_came();
    core_.wake(VcpuId{id}, 0, now_);
}

void Simulator::Host::start(const Lease& lease) {
    const uint32_t id = number(lease.vcpu);
    SimulatedVcpu& v = vcpus_[id];
    ++leases_;
    ++v.lease;
    v.state = State::kRuns;
    v.runs_from = now_ + scenario_.reality.switch_cost;
    record(id, false, v.waits_since, v.runs_from);
    if (!v.responded) meters_[v.guest].burst_ran_first(v.runs_from - v.next.arrival);
    v.responded = true;
    const Nanoseconds most =
        lease.length == Lease::kUnlimited ? Burst::kEndless : lease.length + scenario_.reality.late_stop;
    if (v.remaining <= most && v.remaining < Burst::kEndless / 2)
        events_.add(v.runs_from + v.remaining + scenario_.reality.halt_notice, Event::Kind::kBlocked, id,
                    v.lease);
    else if (most != Burst::kEndless)
        events_.add(v.runs_from + most, Event::Kind::kExpired, id, v.lease);
}

// A recall may come when it has halted already, or before it ran.
void Simulator::Host::stop_early(uint32_t id) {
    SimulatedVcpu& v = vcpus_[id];
    const Nanoseconds stop = std::max(now_ + scenario_.reality.late_stop, v.runs_from);
    if (v.runs_from + v.remaining <= stop) return;
    ++v.lease;
    events_.add(stop, Event::Kind::kExpired, id, v.lease);
}

void Simulator::Host::expire(uint32_t id) {
    SimulatedVcpu& v = vcpus_[id];
    const Nanoseconds used = now_ - v.runs_from;
    record(id, true, v.runs_from, now_);
    v.remaining -= used;
    v.state = State::kWaits;
    v.waits_since = now_;
    core_.expire(VcpuId{id}, used, now_);
}

void Simulator::Host::block(uint32_t id) {
    SimulatedVcpu& v = vcpus_[id];
    const Nanoseconds halted = v.runs_from + v.remaining;
    record(id, true, v.runs_from, halted);
    meters_[v.guest].burst_done(halted - v.next.arrival);
    v.state = State::kHalted;
    core_.block(VcpuId{id}, v.remaining, now_);
    v.remaining = 0;
    plan_next(id, do_io(v.guest));
}

// The host's threads do it beside the vCPUs, unless I/O's part of the budget is spent. Since when it waits.
Nanoseconds Simulator::Host::do_io(uint32_t guest) {
    const Nanoseconds cost = guests_[guest]->workload.io_cost;
    if (cost == 0) return now_;
    const sched::GuestId id{guest};
    const Nanoseconds begin = core_.io_allowed(id, now_) ? now_ : core_.period_end(id, now_);
    core_.charge_io(id, cost, now_);
    meters_[guest].io(cost);
    return begin;
}

void Simulator::Host::record(uint32_t id, bool runs, Nanoseconds from, Nanoseconds to) {
    const SimulatedVcpu& v = vcpus_[id];
    if (runs)
        meters_[v.guest].ran(from, to);
    else
        meters_[v.guest].waited(from, to);
    if (v.row == UINT32_MAX) return;
    Chart::Row& row = chart_.rows[v.row];
    chart_.add(runs ? row.runs : row.waits, from, to);
}

Nanoseconds Simulator::Host::used(uint32_t guest) const {
    Nanoseconds used = meters_[guest].used();
    for (const SimulatedVcpu& v : vcpus_)
        if (v.guest == guest && v.state == State::kRuns)
            used += std::clamp<Nanoseconds>(now_ - v.runs_from, 0, v.remaining);
    return used;
}

// What is going on at the end counts up to then.
void Simulator::Host::close(uint32_t id) {
    const SimulatedVcpu& v = vcpus_[id];
    if (v.state == State::kRuns && v.runs_from < now_)
        record(id, true, v.runs_from, std::min(now_, v.runs_from + v.remaining));
    if (v.state == State::kWaits) record(id, false, v.waits_since, now_);
}

double Simulator::Host::fairness() const {
    const auto hog = [](const ScenarioGuest* g) { return g->workload.kind == Workload::Kind::kHog; };
    const bool hogs = std::any_of(guests_.begin(), guests_.end(), hog);
    const bool weighted = scenario_.scheduler.policy == Policy::kWeightedFair;
    std::vector<double> shares;
    for (size_t i = 0; i < guests_.size(); ++i)
        if (!hogs || hog(guests_[i]))
            shares.push_back(static_cast<double>(meters_[i].used()) /
                             (weighted ? guests_[i]->quota.weight : 1));
    return jains_index(shares);
}

Outcome Simulator::Host::finish() {
    for (uint32_t id = 0; id < vcpus_.size(); ++id) close(id);
    Outcome outcome{.policy = scenario_.scheduler.policy,
                    .cpus = scenario_.scheduler.cpus,
                    .seed = scenario_.seed,
                    .end = now_,
                    .leases = leases_,
                    .jain = fairness(),
                    .chart = std::move(chart_)};
    for (size_t i = 0; i < meters_.size(); ++i)
        outcome.guests.push_back(meters_[i].finish(guests_[i]->workload.arrive, now_));
    outcome.chart.to = std::min(outcome.chart.to, now_);
    std::vector<uint32_t> count(meters_.size(), 0);
    for (Chart::Row& row : outcome.chart.rows) {
        const GuestResult& guest = outcome.guests[row.guest];
        row.name = guest.name;
        if (guest.vcpus > 1) row.name += "/" + std::to_string(count[row.guest]++);
    }
    return outcome;
}

Simulator::Simulator(const Scenario& scenario) : host_(std::make_unique<Host>(scenario)) {}
Simulator::~Simulator() = default;

Outcome Simulator::run() {
    host_->run_until(host_->end());
    return host_->finish();
}
void Simulator::run_until(Nanoseconds time) {
    host_->run_until(time);
}
sched::PolicyCore& Simulator::core() {
    return host_->core();
}
Nanoseconds Simulator::used(uint32_t guest) const {
    return host_->used(guest);
}

}  // namespace carrel::sim
