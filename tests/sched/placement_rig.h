// A host of simulated CPUs under a Placer: each second, a CPU is divided evenly among those on it who want
// more, and what a guest wants and doesn't get it has waited for.
#pragma once

#include <algorithm>
#include <map>
#include <numeric>
#include <string>
#include <vector>

#include "vmm/sched/placement.h"

namespace carrel::test {

using namespace carrel::sched;

inline CpuList cpus_from_0(uint32_t count) {
    CpuList cpus(count);
    std::iota(cpus.begin(), cpus.end(), 0U);
    return cpus;
}

inline constexpr CpuShare percent(int64_t of_a_cpu) {
    return of_a_cpu * kWholeCpu / 100;
}

class PlacementRig {
  public:
    PlacementRig(Placement how, uint32_t cpus) : placer(how, cpus_from_0(cpus)) {}

    // `wants`: what it would run, alone.
    void add(const std::string& name, CpuShare wants, Placer::Guest guest = {}) {
        wants_[name] = guest.cap ? std::min(wants, *guest.cap) : wants;
        placer.add(name, guest);
    }
    void set_wants(const std::string& name, CpuShare wants) { wants_[name] = wants; }
    void remove(const std::string& name) {
        wants_.erase(name);
        placer.remove(name);
    }

    std::vector<Placer::Move> second() { return placer.review(measure()); }
    // Of so many seconds together.
    std::vector<Placer::Move> seconds(uint32_t number) {
        std::vector<Placer::Move> all;
        for (; number != 0; --number)
            for (Placer::Move& move : second()) all.push_back(std::move(move));
        return all;
    }

    std::map<std::string, MeasuredLoad> measure() const {
        std::map<std::string, MeasuredLoad> measured;
        for (const auto& [cpu, guests] : on_cpus()) {
            CpuShare left = kWholeCpu;
            auto count = static_cast<CpuShare>(guests.size());
            for (const auto& [part, name] : guests) {  // who wants least first
                const CpuShare given = std::min(part, left / count--);
                left -= given;
                measured[name].run += given;
                measured[name].waited += part - given;
            }
        }
        return measured;
    }
    bool alone(const std::string& name) const {
        for (const auto& [other, wants] : wants_)
            for (const uint32_t cpu : placer.cpus_of(other))
                if (other != name && std::ranges::binary_search(placer.cpus_of(name), cpu)) return false;
        return true;
    }

    Placer placer;

  private:
    std::map<uint32_t, std::multimap<CpuShare, std::string>> on_cpus() const {
        std::map<uint32_t, std::multimap<CpuShare, std::string>> all;
        for (const auto& [name, wants] : wants_) {
            const CpuList cpus = placer.cpus_of(name);
            for (const uint32_t cpu : cpus)
                all[cpu].emplace(wants / static_cast<CpuShare>(cpus.size()), name);
        }
        return all;
    }

    std::map<std::string, CpuShare> wants_;
};

}  // namespace carrel::test
