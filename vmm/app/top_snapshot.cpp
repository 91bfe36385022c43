#include "vmm/app/top_snapshot.h"

#include <algorithm>
#include <map>

namespace carrel::app {
namespace {

template <class Counter>
std::optional<double> rate(const std::optional<Counter>& before, const std::optional<Counter>& after,
                           double unit) {
    if (!before || !after || *after < *before || unit <= 0) return std::nullopt;
    return static_cast<double>(*after - *before) / unit;
}

std::optional<double> sum(std::optional<double> a, std::optional<double> b) {
    return a && b ? std::optional(*a + *b) : a;
}

TopSnapshot::Guest rates(const TopReading::Guest& earlier, const TopReading::Guest& after) {
    const TopCounters& before = earlier.counters;
    const TopCounters& now = after.counters;
    const auto share = static_cast<double>(after.time - earlier.time);
    const double seconds = share / static_cast<double>(kSecond);
    TopSnapshot::Guest guest{after.what, {}, {}, {}, {}, {}, {}};
    guest.used = sum(rate(before.run, now.run, share), rate(before.io, now.io, share));
    guest.waiting_quota = rate(before.waiting_quota, now.waiting_quota, share);
    guest.waiting_cpu = rate(before.waiting_cpu, now.waiting_cpu, share);
    guest.steal = rate(before.steal, now.steal, share);
    guest.disk = rate(before.disk_bytes, now.disk_bytes, seconds);
    guest.net = rate(before.net_bytes, now.net_bytes, seconds);
    return guest;
}

// Of all guests of which it is known; nothing where it is of none.
template <class Part>
std::optional<double> total(const std::vector<TopSnapshot::Guest>& guests, Part part) {
    std::optional<double> all;
    for (const TopSnapshot::Guest& guest : guests)
        if (const auto value = part(guest)) all = all.value_or(0) + static_cast<double>(*value);
    return all;
}

void add_used(TopSnapshot& top) {
    using Guest = TopSnapshot::Guest;
    if (!top.cpu.used) top.cpu.used = total(top.guests, [](const Guest& guest) { return guest.used; });
    if (!top.memory.used)
        top.memory.used = total(top.guests, [](const Guest& guest) { return guest.what.resident; });
    if (!top.disk.used) top.disk.used = total(top.guests, [](const Guest& guest) { return guest.disk; });
    if (!top.net.used) top.net.used = total(top.guests, [](const Guest& guest) { return guest.net; });
}

bool before_in_list(const TopSnapshot::Guest& a, const TopSnapshot::Guest& b) {
    if (a.used != b.used) return a.used > b.used;  // nothing is less than 0
    return a.what.name < b.what.name;
}

}  // namespace

TopSnapshot between(const TopReading& before, const TopReading& after) {
    const TopReading::Guest unknown;
    std::map<std::string, const TopReading::Guest*> earlier;
    for (const TopReading::Guest& guest : before.guests) earlier[guest.what.name] = &guest;
    TopSnapshot top{
        after.time - before.time, after.policy, after.cpu, after.memory, after.disk, after.net, {},
        after.placement};
    for (const TopReading::Guest& guest : after.guests) {
        const auto found = earlier.find(guest.what.name);
        top.guests.push_back(rates(found == earlier.end() ? unknown : *found->second, guest));
    }
    add_used(top);
    std::ranges::sort(top.guests, before_in_list);
    return top;
}

}  // namespace carrel::app
