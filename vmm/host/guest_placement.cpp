#include "vmm/host/guest_placement.h"

#include <fmt/format.h>

#include <algorithm>

#include "vmm/base/host_cpus.h"
#include "vmm/model/config_text.h"

namespace carrel {
namespace {

using sched::MeasuredLoad;

// Of a vCPU's time between two looks; nothing where that is too short to tell, or can't be (another process
// says it).
void add_share(std::optional<MeasuredLoad>& sum, const sched::VcpuTimes& past) {
    if (past.wall < GuestPlacement::kRound / 2) return;
    if (!sum) sum.emplace();
    sum->run += past.run * kWholeCpu / past.wall;
    sum->waited += past.host_cpu * kWholeCpu / past.wall;
    sum->parked += past.quota * kWholeCpu / past.wall;
}

CpuShare percent(CpuShare share) {
    return share / (kWholeCpu / 100) * (kWholeCpu / 100);
}

std::string words_on(const sched::Placer::Move& move) {
    const std::string way =
        fmt::format("from CPU {} to {}", cpu_list_text(move.from), cpu_list_text(move.to));
    if (move.crowded == 0) return way;
    return way + ": it was crowded, its guests wanted " + cpu_share_text(percent(move.crowded)) + " of one";
}

}  // namespace

GuestPlacement::GuestPlacement(Fleet& fleet, EventLoop& io, Placement how, sched::CpuList cpus)
    : fleet_(fleet), io_(io), placer_(how, std::move(cpus)) {
    fleet_.place_by(this);
    fleet_.listen(*this);
    round();
}

GuestPlacement::~GuestPlacement() {
    fleet_.forget(*this);
    fleet_.place_by(nullptr);
}

const GuestPlacement::Guest* GuestPlacement::guest(const std::string& name) const {
    const auto found = guests_.find(name);
    return found == guests_.end() ? nullptr : &found->second;
}

std::map<uint32_t, GuestPlacement::Cpu> GuestPlacement::cpus() const {
    std::map<uint32_t, Cpu> all;
    for (const uint32_t cpu : placer_.cpus()) all[cpu];
    for (const auto& [name, guest] : guests_) {
        const sched::CpuList its = placer_.cpus_of(name);
        const auto count = static_cast<CpuShare>(its.size());
        for (const uint32_t cpu : its) {
            ++all[cpu].guests;
            all[cpu].load.run += guest.load.run / count;
            all[cpu].load.waited += guest.load.waited / count;
        }
    }
    return all;
}

void GuestPlacement::on_event(const GuestEvent& event) {
    using Kind = GuestEvent::Kind;
    switch (event.kind) {
        case Kind::kStarted:
        case Kind::kRestarted: return begin(event.guest);
        case Kind::kChanged: return change(event.guest);
        case Kind::kEnded:
        case Kind::kDeleted:
            guests_.erase(event.guest);
            placer_.remove(event.guest);
            return;
        default: return;
    }
}

void GuestPlacement::begin(const std::string& name) {
    const auto shown = fleet_.show(name);
    if (!shown.ok()) return;
    const MachineConfig& config = shown->config;
    if (guests_.try_emplace(name).second)
        placer_.add(name, {config.cpus, config.cpu_quota.cap, config.cpus_allowed});
    io_.after(kBegun, [this, alive = std::weak_ptr(alive_), name] {
        if (!alive.expired()) ask(name);
    });
}

void GuestPlacement::change(const std::string& name) {
    if (const auto shown = fleet_.show(name); shown.ok()) placer_.set_cap(name, shown->config.cpu_quota.cap);
}

void GuestPlacement::ask(const std::string& name) {
    fleet_.stats(name, [this, alive = std::weak_ptr(alive_), name](const Result<GuestStats>& stats) {
        if (!alive.expired() && stats.ok()) take(name, *stats);
    });
}

void GuestPlacement::take(const std::string& name, const GuestStats& stats) {
    const auto found = guests_.find(name);
    if (found == guests_.end()) return;
    Placed& guest = found->second;
    std::map<int32_t, sched::VcpuTimes> now;
    std::optional<MeasuredLoad> load;
    for (const VcpuStats& vcpu : stats.vcpus) {
        if (!vcpu.sample) continue;
        const sched::VcpuTimes& times = vcpu.sample->times;
        now.emplace(vcpu.sample->thread, times);
        if (const auto before = guest.threads.find(vcpu.sample->thread); before != guest.threads.end())
            add_share(load, times - before->second);
    }
    guest.threads = std::move(now);
    guest.fresh = load;
    keep(name, guest);
}

// Threads that have just told what they ran, so they are there.
void GuestPlacement::keep(const std::string& name, Placed& guest) {
    const sched::CpuList cpus = placer_.cpus_of(name);
    if (cpus.empty()) return;
    std::erase_if(guest.kept, [&](const auto& kept) { return !guest.threads.contains(kept.first); });
    for (const auto& [thread, times] : guest.threads) {
        sched::CpuList& kept = guest.kept[thread];
        if (kept != cpus) keep_thread_to_cpus(thread, cpus);
        kept = cpus;
    }
}

void GuestPlacement::round() {
    for (const auto& [name, guest] : guests_) ask(name);
    const auto later = [this](Nanoseconds delay, void (GuestPlacement::*what)()) {
        io_.after(delay, [this, alive = std::weak_ptr(alive_), what] {
            if (!alive.expired()) (this->*what)();
        });
    };
    later(kAnswers, &GuestPlacement::review);
    later(kRound, &GuestPlacement::round);
}

// Who hasn't answered yet is taken to want what he wanted.
void GuestPlacement::review() {
    std::map<std::string, MeasuredLoad> measured;
    for (auto& [name, guest] : guests_) {
        const auto fresh = std::exchange(guest.fresh, std::nullopt);
        if (!fresh) continue;
        guest.load = *fresh;
        if (guest.last && !guest.last->after) guest.last->after = *fresh;
        measured[name] = *fresh;
    }
    for (const sched::Placer::Move& move : placer_.review(measured)) moved(move);
}

void GuestPlacement::moved(const sched::Placer::Move& move) {
    Placed& guest = guests_.at(move.guest);
    ++guest.moves;
    guest.last = Move{move.from, move.to, guest.load, {}};
    ++moves_;
    last_moved_ = move.guest;
    keep(move.guest, guest);
    fleet_.tell_moved(move.guest, words_on(move));
}

}  // namespace carrel
