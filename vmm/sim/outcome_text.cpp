#include "vmm/sim/outcome_text.h"

#include <fmt/core.h>

#include <algorithm>

#include "vmm/model/policy.h"

namespace carrel::sim {
namespace {

constexpr size_t kMostLines = 40;

std::string ms(Nanoseconds time) {
    return fmt::format("{:.3f}", static_cast<double>(time) / kMillisecond);
}

std::string error_text(const GuestResult& guest, size_t window) {
    const auto& error = guest.window_errors[window];
    if (!error) return "-";
    // Who doesn't always want its cap is allowed to use less.
    const double off =
        guest.workload == Workload::Kind::kHog ? std::max(error->over, error->under) : error->over;
    return fmt::format("{:.3f}", off);
}

std::string line(const GuestResult& g, Nanoseconds end) {
    const std::string cap = g.quota.cap ? cpu_share_text(*g.quota.cap) : "-";
    return fmt::format(
        "{:<16.16} {:>5} {:>8} {:>9.3f} {:>8} {:>10} {:>10} {:>10} {:>10} {:>10} {:>7} {:>7} {:>7}\n", g.name,
        g.vcpus, cap, share_of(g, end), g.done, g.done > 0 ? ms(mean(g.turnaround, g.done)) : "-",
        ms(mean(g.waiting, g.begun)), ms(mean(g.response, g.responded)), ms(g.response_p99),
        ms(g.longest_wait), error_text(g, 0), error_text(g, 1), error_text(g, 2));
}

GuestResult total(const std::vector<GuestResult>& guests) {
    GuestResult all;
    all.name = "all";
    for (const GuestResult& g : guests) {
        all.vcpus += g.vcpus;
        all.used += g.used;
        all.begun += g.begun;
        all.done += g.done;
        all.turnaround += g.turnaround;
        all.response += g.response;
        all.responded += g.responded;
        all.waiting += g.waiting;
        all.response_p99 = std::max(all.response_p99, g.response_p99);
        all.longest_wait = std::max(all.longest_wait, g.longest_wait);
    }
    return all;
}

}  // namespace

Nanoseconds mean(Nanoseconds sum, uint64_t count) {
    return count > 0 ? sum / static_cast<Nanoseconds>(count) : 0;
}

double share_of(const GuestResult& guest, Nanoseconds end) {
    return end > 0 ? 100.0 * static_cast<double>(guest.used) / static_cast<double>(end) : 0;
}

std::string outcome_text(const Outcome& outcome) {
    std::string text = fmt::format("{} on {} CPU{}, {} ms, seed {}: {} leases, Jain's index {:.5f}\n\n",
                                   policy_name(outcome.policy), outcome.cpus, outcome.cpus == 1 ? "" : "s",
                                   ms(outcome.end), outcome.seed, outcome.leases, outcome.jain);
    text += fmt::format("{:<16} {:>5} {:>8} {:>9} {:>8} {:>10} {:>10} {:>10} {:>10} {:>10} {:>23}\n", "", "",
                        "", "", "bursts", "turnaround", "waiting", "response", "p99 of it", "longest",
                        "worst window, % off cap");
    text +=
        fmt::format("{:<16} {:>5} {:>8} {:>9} {:>8} {:>10} {:>10} {:>10} {:>10} {:>10} {:>7} {:>7} {:>7}\n",
                    "guest", "vCPUs", "cap", "share, %", "done", "mean, ms", "mean, ms", "mean, ms", "ms",
                    "wait, ms", "100 ms", "1 s", "10 s");
    for (size_t i = 0; i < std::min(outcome.guests.size(), kMostLines); ++i)
        text += line(outcome.guests[i], outcome.end);
    if (outcome.guests.size() > kMostLines)
        text += fmt::format("… and {} more; --json has them all\n", outcome.guests.size() - kMostLines);
    if (outcome.guests.size() > 1) text += line(total(outcome.guests), outcome.end);
    return text;
}

}  // namespace carrel::sim
