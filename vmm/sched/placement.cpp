#include "vmm/sched/placement.h"

#include <algorithm>
#include <iterator>
#include <utility>

namespace carrel::sched {
namespace {

CpuShare most_of(uint32_t vcpus, std::optional<CpuShare> cap) {
    const CpuShare all = CpuShare{vcpus} * kWholeCpu;
    return cap ? std::min(*cap, all) : all;
}

}  // namespace

void Placer::add(const std::string& name, const Guest& guest) {
    PlacedGuest placed;
    placed.vcpus = guest.vcpus;
    if (guest.allowed.empty())
        placed.allowed = cpus_;
    else
        std::ranges::set_intersection(guest.allowed, cpus_, std::back_inserter(placed.allowed));
    if (placed.allowed.empty()) return;
    placed.demand = placed.most = most_of(guest.vcpus, guest.cap);
    placed.cpus = how_ == Placement::kSpread ? spread_out(placed, loads()) : pack_in(placed, loads());
    guests_.emplace(name, std::move(placed));
}

void Placer::set_cap(const std::string& name, std::optional<CpuShare> cap) {
    if (const auto found = guests_.find(name); found != guests_.end())
        found->second.most = most_of(found->second.vcpus, cap);
}

void Placer::remove(const std::string& name) {
    guests_.erase(name);
}

CpuList Placer::cpus_of(const std::string& name) const {
    const auto found = guests_.find(name);
    return found == guests_.end() ? CpuList{} : found->second.cpus;
}

std::vector<Placer::Move> Placer::review(const std::map<std::string, MeasuredLoad>& measured) {
    for (const auto& [name, load] : measured) {
        if (const auto found = guests_.find(name); found != guests_.end())
            found->second.demand = std::min(found->second.most, load.run + load.waited + load.parked);
    }
    count_rounds();
    return carry_out(how_ == Placement::kSpread ? spread() : pack());
}

void Placer::count_rounds() {
    for (auto& [name, guest] : guests_) guest.rests -= std::min(guest.rests, 1U);
    ++since_packed_;
    if (packed_ && since_packed_ > kSoon) patience_ = kCalmRounds;
}

std::vector<PlacementStep> Placer::spread() {
    if (const auto step = relieve(guests_)) {
        calm_ = 0;
        if (++crowded_ < kCrowdedRounds) return {};
        crowded_ = 0;
        return {*step};
    }
    crowded_ = 0;
    const auto step = even_out(guests_);
    calm_ = step ? calm_ + 1 : 0;
    if (calm_ < kCalmRounds) return {};
    calm_ = 0;
    return {*step};
}

std::vector<PlacementStep> Placer::pack() {
    if (auto steps = unpack(guests_); !steps.empty()) {
        calm_ = 0;
        if (++crowded_ < kCrowdedRounds) return {};
        crowded_ = 0;
        if (std::exchange(packed_, false) && since_packed_ <= kSoon)
            patience_ = std::min(2 * patience_, kLongestPatience);
        return steps;
    }
    crowded_ = 0;
    auto steps = pack_closer(guests_);
    calm_ = steps.empty() ? 0 : calm_ + 1;
    if (calm_ < patience_) return {};
    calm_ = since_packed_ = 0;
    packed_ = true;
    return steps;
}

std::vector<Placer::Move> Placer::carry_out(const std::vector<PlacementStep>& steps) {
    std::vector<Move> moves;
    for (const PlacementStep& step : steps) {
        PlacedGuest& guest = guests_.at(step.guest);
        moves.push_back({step.guest, std::exchange(guest.cpus, step.to), step.to, step.crowded});
        guest.rests = kRestRounds + 1;
    }
    return moves;
}

}  // namespace carrel::sched
