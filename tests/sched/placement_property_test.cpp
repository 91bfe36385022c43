// Placement with guests at random on up to 8 simulated CPUs: what must hold whatever there is. Seeds are
// fixed.
#include <algorithm>
#include <random>

#include "tests/catch.h"
#include "tests/sched/placement_rig.h"

using namespace carrel;
using namespace carrel::test;

namespace {

class RandomGuests {
  public:
    RandomGuests(Placement how, uint32_t seed) : random_(seed), cpus_(1 + below(8)), rig(how, cpus_) {
        const uint32_t count = 1 + below(20);
        for (uint32_t i = 0; i < count; ++i) add("g" + std::to_string(i));
    }

    uint32_t below(uint32_t bound) { return static_cast<uint32_t>(random_()) % bound; }
    CpuShare wants(const std::string& name) {
        const Placer::Guest& guest = guests[name];
        const CpuShare wanted = percent(5) * below(21) * guest.vcpus;
        return guest.cap ? std::min(wanted, *guest.cap) : wanted;
    }
    bool places_are_right() {
        return std::ranges::all_of(guests, [this](const auto& of) {
            const CpuList cpus = rig.placer.cpus_of(of.first);
            return !cpus.empty() && std::ranges::is_sorted(cpus) &&
                   std::ranges::adjacent_find(cpus) == cpus.end() && cpus.size() <= of.second.vcpus &&
                   std::ranges::includes(allowed(of.second), cpus);
        });
    }
    CpuList allowed(const Placer::Guest& guest) const {
        return guest.allowed.empty() ? rig.placer.cpus() : guest.allowed;
    }

  private:
    std::mt19937 random_;
    uint32_t cpus_;

    void add(const std::string& name) {
        Placer::Guest guest{1 + below(4), {}, {}};
        if (below(2) == 0) guest.cap = percent(5 + 5 * below(30));
        if (below(3) == 0) {
            for (uint32_t cpu = 0; cpu < cpus_; ++cpu)
                if (below(2) == 0) guest.allowed.push_back(cpu);
        }
        guests[name] = guest;
        rig.add(name, wants(name), guest);
    }

  public:
    std::map<std::string, Placer::Guest> guests;
    PlacementRig rig;
};

constexpr Placement kBoth[] = {Placement::kSpread, Placement::kPack};

// That a guest goes from one of its CPUs to another would be better; nobody bothers for less than kGain.
bool better(const PlacementRig& rig, const std::string& name, uint32_t from, uint32_t to) {
    const CpuLoads loads = rig.placer.loads();
    const CpuLoad source = loads.at(from), target = loads.contains(to) ? loads.at(to) : CpuLoad{};
    const MeasuredLoad load = rig.measure()[name];
    const CpuShare part = (load.run + load.waited) / static_cast<CpuShare>(rig.placer.cpus_of(name).size());
    if (source.load > kCrowded)
        return source.load - std::max(source.load - part, target.load + part) >= kGain;
    return rig.placer.how() == Placement::kSpread && source.guests >= target.guests + 2 &&
           target.load + part <= kWholeCpu;
}

}  // namespace

TEST_CASE("placement: everybody stays where he may be, and with steady loads all come to rest") {
    for (const Placement how : kBoth) {
        for (uint32_t seed = 1; seed <= 100; ++seed) {
            CAPTURE(static_cast<int>(how), seed);
            RandomGuests world(how, seed);
            bool right = true;
            for (int i = 0; i < 300; ++i) {
                world.rig.second();
                right = right && world.places_are_right();
            }
            CHECK(right);
            CHECK(world.rig.seconds(400).empty());
        }
    }
}

TEST_CASE("placement: at rest no move relieves a crowded CPU, and under spread guests are counted evenly") {
    for (const Placement how : kBoth) {
        for (uint32_t seed = 101; seed <= 200; ++seed) {
            CAPTURE(static_cast<int>(how), seed);
            RandomGuests world(how, seed);
            world.rig.seconds(300);
            uint32_t left = 0;
            for (const auto& [name, guest] : world.guests) {
                const CpuList cpus = world.rig.placer.cpus_of(name);
                for (const uint32_t from : cpus)
                    for (const uint32_t to : world.allowed(guest))
                        left += !std::ranges::binary_search(cpus, to) && better(world.rig, name, from, to);
            }
            CHECK(left == 0);
        }
    }
}

TEST_CASE("placement: loads at random make nobody bounce: a guest rests after a move") {
    for (const Placement how : kBoth) {
        for (uint32_t seed = 1; seed <= 50; ++seed) {
            CAPTURE(static_cast<int>(how), seed);
            RandomGuests world(how, seed);
            std::map<std::string, int> last;
            bool right = true;
            for (int i = 0; i < 300; ++i) {
                for (const auto& [name, guest] : world.guests) world.rig.set_wants(name, world.wants(name));
                for (const auto& move : world.rig.second()) {
                    const auto before = last.find(move.guest);
                    right =
                        right && move.from != move.to &&
                        (before == last.end() || i - before->second > static_cast<int>(Placer::kRestRounds));
                    last[move.guest] = i;
                }
                right = right && world.places_are_right();
            }
            CHECK(right);
        }
    }
}
