#include "vmm/sched/placement_plan.h"

#include <algorithm>
#include <tuple>

namespace carrel::sched {
namespace {

CpuLoad at(const CpuLoads& loads, uint32_t cpu) {
    const auto found = loads.find(cpu);
    return found == loads.end() ? CpuLoad{} : found->second;
}

void add(CpuLoads& loads, const PlacedGuest& guest) {
    for (const uint32_t cpu : guest.cpus) {
        loads[cpu].load += guest.part();
        ++loads[cpu].guests;
    }
}

// What there isn't enough for.
CpuShare excess(const CpuLoads& loads) {
    CpuShare sum = 0;
    for (const auto& [cpu, load] : loads) sum += std::max<CpuShare>(load.load - kWholeCpu, 0);
    return sum;
}

bool crowded(const CpuLoads& loads) {
    return std::ranges::any_of(loads, [](const auto& of) { return of.second.load > kCrowded; });
}

bool has(const CpuList& cpus, uint32_t cpu) {
    return std::ranges::binary_search(cpus, cpu);
}

// `count` of the allowed ones, those first that are least by `key`.
template <class Key>
CpuList first_by(const CpuList& allowed, size_t count, Key key) {
    CpuList chosen = allowed;
    std::ranges::stable_sort(chosen, {}, key);
    chosen.resize(std::min(count, chosen.size()));
    std::ranges::sort(chosen);
    return chosen;
}

CpuList exchanged(const CpuList& cpus, uint32_t from, uint32_t to) {
    CpuList after = cpus;
    std::ranges::replace(after, from, to);
    std::ranges::sort(after);
    return after;
}

// On how many CPUs none is filled over `limit` by it alone.
size_t needed(const PlacedGuest& guest, CpuShare limit) {
    const CpuShare count = (guest.demand + limit - 1) / limit;
    return static_cast<size_t>(std::clamp<CpuShare>(count, 1, guest.width()));
}

// First fit: on CPUs that are in use, before others. `keeps`: where it is comes before even that.
CpuList first_fit(const PlacedGuest& guest, const CpuLoads& loads, size_t count, CpuShare limit, bool keeps) {
    const CpuShare part = guest.demand / static_cast<CpuShare>(count);
    return first_by(guest.allowed, count, [&](uint32_t cpu) {
        const CpuLoad load = at(loads, cpu);
        const bool fits = load.guests == 0 || load.load + part <= limit;
        const bool elsewhere = !has(guest.cpus, cpu), unused = load.guests == 0;
        return std::tuple(!fits, fits ? 0 : load.load, keeps ? elsewhere : unused,
                          keeps ? unused : elsewhere);
    });
}

// All of them anew, the largest first; whoever rests is there before.
PlacedGuests packed(const PlacedGuests& guests, CpuShare width_limit, CpuShare limit, bool keeps) {
    PlacedGuests plan = guests;
    CpuLoads loads;
    std::vector<PlacedGuest*> order;
    for (auto& [name, guest] : plan) {
        if (guest.rests != 0)
            add(loads, guest);
        else
            order.push_back(&guest);
    }
    std::ranges::stable_sort(order, std::ranges::greater{}, &PlacedGuest::demand);
    for (PlacedGuest* const guest : order) {
        guest->cpus = first_fit(*guest, loads, needed(*guest, width_limit), limit, keeps);
        add(loads, *guest);
    }
    return plan;
}

std::vector<PlacementStep> steps(const PlacedGuests& before, const PlacedGuests& after,
                                 const CpuLoads& loads) {
    std::vector<PlacementStep> steps;
    for (const auto& [name, guest] : after) {
        const CpuList& cpus = before.at(name).cpus;
        if (cpus == guest.cpus) continue;
        CpuShare left = 0;
        for (const uint32_t cpu : cpus) left = std::max(left, at(loads, cpu).load);
        steps.push_back({name, guest.cpus, left > kCrowded ? left : 0});
    }
    return steps;
}

// Of one guest's part from one CPU to another.
struct Worth {
    int64_t gain;      // 0: not to be done
    CpuShare crowded;  // for PlacementStep
};

// The move that gains most, and of such the one that moves least. `worth(guest, from, to)` is asked of all
// that may be moved.
template <class WorthOf>
std::optional<PlacementStep> best_move(const PlacedGuests& guests, WorthOf worth) {
    const CpuLoads loads = loads_of(guests);
    std::optional<PlacementStep> best;
    std::tuple<int64_t, CpuShare> best_by;
    for (const auto& [name, guest] : guests) {
        if (guest.rests != 0) continue;
        for (const uint32_t from : guest.cpus) {
            for (const uint32_t to : guest.allowed) {
                if (has(guest.cpus, to)) continue;
                const Worth move = worth(guest, at(loads, from), at(loads, to));
                const std::tuple by(move.gain, -guest.part());
                if (move.gain <= 0 || (best && by <= best_by)) continue;
                best = PlacementStep{name, exchanged(guest.cpus, from, to), move.crowded};
                best_by = by;
            }
        }
    }
    return best;
}

}  // namespace

uint32_t PlacedGuest::width() const {
    return std::min(vcpus, static_cast<uint32_t>(allowed.size()));
}

CpuShare PlacedGuest::part() const {
    return cpus.empty() ? 0 : demand / static_cast<CpuShare>(cpus.size());
}

CpuLoads loads_of(const PlacedGuests& guests) {
    CpuLoads loads;
    for (const auto& [name, guest] : guests) add(loads, guest);
    return loads;
}

CpuList spread_out(const PlacedGuest& guest, const CpuLoads& loads) {
    return first_by(guest.allowed, guest.width(), [&](uint32_t cpu) {
        const CpuLoad load = at(loads, cpu);
        return std::tuple(load.guests, load.load);
    });
}

std::optional<PlacementStep> relieve(const PlacedGuests& guests) {
    return best_move(guests, [](const PlacedGuest& guest, const CpuLoad& from, const CpuLoad& to) {
        const CpuShare part = guest.part();
        const CpuShare gain = from.load - std::max(from.load - part, to.load + part);
        return Worth{.gain = from.load > kCrowded && gain >= kGain ? gain : 0, .crowded = from.load};
    });
}

std::optional<PlacementStep> even_out(const PlacedGuests& guests) {
    return best_move(guests, [](const PlacedGuest& guest, const CpuLoad& from, const CpuLoad& to) {
        const int64_t fewer = int64_t{from.guests} - to.guests;
        const bool good = fewer >= 2 && to.load + guest.part() <= kWholeCpu;
        return Worth{.gain = good ? fewer : 0, .crowded = 0};
    });
}

CpuList pack_in(const PlacedGuest& guest, const CpuLoads& loads) {
    return first_fit(guest, loads, needed(guest, kCrowded), kWholeCpu, false);
}

std::vector<PlacementStep> unpack(const PlacedGuests& guests) {
    const CpuLoads now = loads_of(guests);
    if (!crowded(now)) return {};
    const PlacedGuests plan = packed(guests, kCrowded, kWholeCpu, true);
    if (excess(loads_of(plan)) <= excess(now) - (kCrowded - kWholeCpu)) return steps(guests, plan, now);
    const auto step = relieve(guests);
    return step ? std::vector{*step} : std::vector<PlacementStep>{};
}

std::vector<PlacementStep> pack_closer(const PlacedGuests& guests) {
    const CpuLoads now = loads_of(guests);
    const PlacedGuests plan = packed(guests, kComfort, kComfort, false);
    const CpuLoads then = loads_of(plan);
    if (then.size() >= now.size() || excess(then) > excess(now)) return {};
    return steps(guests, plan, now);
}

}  // namespace carrel::sched
