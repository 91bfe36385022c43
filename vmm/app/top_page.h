// The page of `carrel top`: a snapshot, drawn to fit.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "vmm/app/top_snapshot.h"

namespace carrel::app {

struct TopView {
    size_t columns = 80;
    size_t rows = 24;
    size_t first = 0;  // how many guests are scrolled away
};

// At most `rows` lines of at most `columns` characters, in ASCII: whatever guests are called, nothing of it
// reaches the terminal as a control character.
std::vector<std::string> top_page(const TopSnapshot& top, const TopView& view);
// How many guests such a page has room for.
size_t top_room(const TopSnapshot& top, const TopView& view);

// For a cell: "12.5" and "150", a percentage; "512M" and "1.5G". "-" for nothing.
std::string percent_cell(std::optional<double> share);
std::string bytes_cell(std::optional<double> bytes);

}  // namespace carrel::app
