#include "vmm/app/top_columns.h"

#include <fmt/core.h>

#include <algorithm>
#include <array>
#include <cmath>

#include "vmm/app/top_page.h"

namespace carrel::app {
namespace {

constexpr size_t kWidestName = 32, kWidestBar = 60;

std::string fitted(std::string text, size_t width) {
    if (text.size() <= width) return text;
    text.resize(width);
    if (width > 1) text.back() = '~';
    return text;
}

std::string number_cell(uint64_t number) {
    return number < 10'000 ? std::to_string(number) : fmt::format("{}k", number / 1000);
}

// For a narrow column.
std::string short_state(const std::string& state) {
    constexpr std::array<std::pair<std::string_view, const char*>, 6> kShort = {{{"running", "run"},
                                                                                 {"pausing", "pause"},
                                                                                 {"paused", "pause"},
                                                                                 {"stopping", "stop"},
                                                                                 {"created", "ready"},
                                                                                 {"loading", "load"}}};
    const auto found = std::ranges::find(kShort, state, &std::pair<std::string_view, const char*>::first);
    return found == kShort.end() ? printable(state) : found->second;
}

// Without its fraction: for narrow columns.
std::string whole_percent(std::optional<double> share) {
    return share ? fmt::format("{:.0f}", std::max(0.0, *share) * 100) : "-";
}

// What its bar is full at: its cap, or all of its vCPUs.
double most(const TopGuest& guest) {
    const double vcpus = std::max<uint32_t>(guest.vcpus, 1);
    return guest.cap && *guest.cap > 0 ? std::min(*guest.cap, vcpus) : vcpus;
}

std::string memory_cell(const TopGuest& guest) {
    const auto bytes = [](std::optional<uint64_t> count) {
        return bytes_cell(count ? std::optional(static_cast<double>(*count)) : std::nullopt);
    };
    return bytes(guest.resident) + "/" + bytes(guest.quota);
}

}  // namespace

std::string percent_cell(std::optional<double> share) {
    if (!share) return "-";
    const double percent = std::max(0.0, *share) * 100;
    return percent < 99.95 ? fmt::format("{:.1f}", percent) : fmt::format("{:.0f}", percent);
}

std::string bytes_cell(std::optional<double> bytes) {
    if (!bytes) return "-";
    if (*bytes < 0) return "-" + bytes_cell(-*bytes);
    constexpr std::array kUnits = {"", "K", "M", "G", "T", "P"};
    double value = *bytes;
    size_t unit = 0;
    while (value >= 999.5 && unit + 1 < kUnits.size()) {
        value /= 1024;
        ++unit;
    }
    const bool fraction = unit != 0 && value < 9.95;
    return fraction ? fmt::format("{:.1f}{}", value, kUnits[unit])
                    : fmt::format("{:.0f}{}", value, kUnits[unit]);
}

std::string printable(std::string_view text) {
    std::string safe(text);
    for (char& letter : safe)
        if (letter < ' ' || letter > '~') letter = '?';
    return safe;
}

std::string bar_of(double used, double quota, double host, size_t width) {
    std::string bar;
    double end = 0;
    const std::array<std::pair<double, char>, 3> parts = {{{used, '#'}, {quota, '='}, {host, '-'}}};
    for (const auto& [part, letter] : parts) {
        end = std::clamp(end + std::max(0.0, std::isfinite(part) ? part : 0.0), 0.0, 1.0);
        bar.resize(std::max(bar.size(), static_cast<size_t>(std::lround(end * static_cast<double>(width)))),
                   letter);
    }
    bar.resize(width, '.');
    return bar;
}

// 80 columns have room for all of them; where there is swap, for all but the weights.
const TopColumns::Cell TopColumns::kAll[] = {
    {Column::kName, "NAME", 9, 0},  {Column::kState, "STATE", 5, 2},  {Column::kVcpus, "CPU", 3, 9},
    {Column::kCap, "CAP%", 5, 5},   {Column::kWeight, "WGHT", 4, 13}, {Column::kReserve, "RSV%", 4, 12},
    {Column::kCpu, "USED%", 5, 1},  {Column::kBar, "", 6, 3},         {Column::kQuota, "QUO", 3, 4},
    {Column::kHost, "HST", 3, 7},   {Column::kSteal, "STL", 3, 8},    {Column::kMemory, "MEM/QUOTA", 9, 6},
    {Column::kDisk, "DISK", 4, 10}, {Column::kNet, "NET", 4, 11},     {Column::kSwap, "SWAP", 4, 5},
};

std::span<const TopColumns::Cell> TopColumns::all() {
    return kAll;
}

TopColumns::TopColumns(size_t width, bool swaps) : cells_(all().begin(), all().end()) {
    if (!swaps) std::erase_if(cells_, [](const Cell& cell) { return cell.column == Column::kSwap; });
    const auto needed = [this] {
        size_t sum = 0;
        for (const Cell& cell : cells_) sum += cell.width + 1;
        return sum - 1;
    };
    while (cells_.size() > 1 && needed() > width)
        cells_.erase(std::ranges::max_element(cells_, {}, &Cell::order));
    // What is left over is the name's first, then the bar's.
    size_t spare = width > needed() ? width - needed() : 0;
    const auto widen = [&](Column column, size_t widest) {
        const auto found = std::ranges::find(cells_, column, &Cell::column);
        if (found == cells_.end() || found->width >= widest) return;
        const size_t more = std::min(spare, widest - found->width);
        found->width += more;
        spare -= more;
    };
    widen(Column::kName, kWidestName);
    widen(Column::kBar, kWidestBar);
}

std::string TopColumns::text(const Cell& cell, const TopSnapshot::Guest& guest) {
    const TopGuest& what = guest.what;
    const double full = most(what);
    switch (cell.column) {
        case Column::kName: return printable(what.name);
        case Column::kState: return short_state(what.state);
        case Column::kVcpus: return number_cell(what.vcpus);
        case Column::kCap: return percent_cell(what.cap);
        case Column::kWeight: return what.weight ? number_cell(*what.weight) : "-";
        case Column::kReserve: return whole_percent(what.reserve);
        case Column::kCpu: return percent_cell(guest.used);
        case Column::kBar:
            return bar_of(guest.used.value_or(0) / full, guest.waiting_quota.value_or(0) / full,
                          guest.waiting_cpu.value_or(0) / full, cell.width);
        case Column::kQuota: return whole_percent(guest.waiting_quota);
        case Column::kHost: return whole_percent(guest.waiting_cpu);
        case Column::kSteal: return whole_percent(guest.steal);
        case Column::kMemory: return memory_cell(what);
        case Column::kDisk: return bytes_cell(guest.disk);
        case Column::kNet: return bytes_cell(guest.net);
        case Column::kSwap: return bytes_cell(what.swapped);
    }
    return {};
}

std::string TopColumns::head() const {
    std::string line;
    for (const Cell& cell : cells_) {
        const bool left = cell.column == Column::kName || cell.column == Column::kState;
        line += left ? fmt::format("{:<{}} ", fitted(cell.title, cell.width), cell.width)
                     : fmt::format("{:>{}} ", fitted(cell.title, cell.width), cell.width);
    }
    line.pop_back();
    return line;
}

std::string TopColumns::line(const TopSnapshot::Guest& guest) const {
    std::string line;
    for (const Cell& cell : cells_) {
        const std::string value = fitted(text(cell, guest), cell.width);
        const bool left = cell.column == Column::kName || cell.column == Column::kState;
        line += left ? fmt::format("{:<{}} ", value, cell.width) : fmt::format("{:>{}} ", value, cell.width);
    }
    line.pop_back();
    return line;
}

}  // namespace carrel::app
