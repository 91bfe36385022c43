#include "vmm/app/top_page.h"

#include <fmt/core.h>

#include <algorithm>

#include "vmm/app/top_columns.h"

namespace carrel::app {
namespace {

constexpr size_t kResourceLines = 4;
constexpr size_t kHeadLines = 1 + kResourceLines + 2;  // the title, an empty line, the columns' names

std::string title(const TopSnapshot& top) {
    return fmt::format("carrel top: {} guest{}, {}, over {:.1f} s   q: quit, up and down: scroll",
                       top.guests.size(), top.guests.size() == 1 ? "" : "s",
                       top.policy.empty() ? "no policy" : printable(top.policy),
                       static_cast<double>(top.interval) / static_cast<double>(kSecond));
}

template <class Cell>
std::string resource_line(const char* name, const TopResource& resource, size_t columns, Cell cell) {
    constexpr size_t kWords = 59;  // what stands beside the bar
    const size_t room = columns > kWords + 8 ? columns - kWords : 8;
    const std::string bar = resource.total ? bar_of(resource.used.value_or(0) / *resource.total, 0, 0, room)
                                           : std::string(room, ' ');
    return fmt::format("{:<4} [{}] used {:>6} of {:>6}, promised {:>6}, free {:>6}", name, bar,
                       cell(resource.used), cell(resource.total), cell(resource.promised),
                       cell(resource.free()));
}

std::string load_words(const TopLoad& load) {
    return fmt::format("{}% used {}% waited for", percent_cell(load.run), percent_cell(load.waited));
}

void add_placement(std::vector<std::string>& page, const TopPlacement& placement) {
    page.push_back(fmt::format("{}: CPU {} is wanted most, by {} guests: {}", printable(placement.how),
                               placement.fullest, placement.guests, load_words(placement.load)));
    if (!placement.last) return;
    const TopPlacement::Move& move = *placement.last;
    page.push_back(fmt::format("{} moves, last {} from {} to {}: {}{}", placement.moves,
                               printable(move.guest), printable(move.from), printable(move.to),
                               load_words(move.before),
                               move.after ? ", then " + load_words(*move.after) : std::string()));
}

size_t placement_lines(const TopSnapshot& top) {
    if (!top.placement) return 0;
    return top.placement->last ? 2 : 1;
}

void add_head(std::vector<std::string>& page, const TopSnapshot& top, size_t columns) {
    page.push_back(title(top));
    page.push_back(resource_line("CPU", top.cpu, columns, [](auto share) {
        return share ? percent_cell(share) + "%" : percent_cell(share);
    }));
    page.push_back(resource_line("MEM", top.memory, columns, bytes_cell));
    page.push_back(resource_line("DISK", top.disk, columns, bytes_cell));
    page.push_back(resource_line("NET", top.net, columns, bytes_cell));
    if (top.placement) add_placement(page, *top.placement);
    page.emplace_back();
}

}  // namespace

size_t top_room(const TopSnapshot& top, const TopView& view) {
    const size_t head = kHeadLines + placement_lines(top);
    if (view.rows <= head) return 0;
    const size_t room = view.rows - head;
    return top.guests.size() <= room ? room : room - 1;  // a line says how many more there are
}

std::vector<std::string> top_page(const TopSnapshot& top, const TopView& view) {
    std::vector<std::string> page;
    add_head(page, top, view.columns);
    const bool swaps = std::ranges::any_of(
        top.guests, [](const TopSnapshot::Guest& guest) { return guest.what.swapped.has_value(); });
    const TopColumns columns(view.columns, swaps);
    page.push_back(columns.head());
    const size_t room = top_room(top, view), count = top.guests.size();
    const size_t first = std::min(view.first, count > room ? count - room : 0);
    const size_t end = std::min(count, first + room);
    for (size_t i = first; i < end; ++i) page.push_back(columns.line(top.guests[i]));
    if (const size_t more = count - (end - first); more != 0)
        page.push_back(first == 0 ? fmt::format("... {} more", more)
                                  : fmt::format("... {} more, {} of them above", more, first));
    if (count == 0) page.emplace_back("no guests");
    if (page.size() > view.rows) page.resize(view.rows);
    for (std::string& line : page)
        if (line.size() > view.columns) line.resize(view.columns);
    return page;
}

}  // namespace carrel::app
