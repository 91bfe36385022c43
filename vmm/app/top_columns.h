// The columns of the page of `carrel top`: which of them fit, and a guest's line.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "vmm/app/top_snapshot.h"

namespace carrel::app {

class TopColumns {
  public:
    // `swaps`: of a guest it is known what is swapped out.
    TopColumns(size_t width, bool swaps);

    std::string head() const;
    std::string line(const TopSnapshot::Guest& guest) const;

  private:
    enum class Column {
        kName,
        kState,
        kVcpus,
        kCap,
        kWeight,
        kReserve,
        kCpu,
        kBar,
        kQuota,
        kHost,
        kSteal,
        kMemory,
        kDisk,
        kNet,
        kSwap
    };
    struct Cell {
        Column column;
        const char* title;
        size_t width;
        unsigned order;  // the largest goes first where there is no room for all
    };
    static const Cell kAll[];
    static std::span<const Cell> all();
    static std::string text(const Cell& cell, const TopSnapshot::Guest& guest);

    std::vector<Cell> cells_;
};

// Bytes that aren't printable ASCII as '?'.
std::string printable(std::string_view text);
// "###==--....": what is used, waits for quota, and waits for a host CPU, each a part of 1.
std::string bar_of(double used, double quota, double host, size_t width);

}  // namespace carrel::app
