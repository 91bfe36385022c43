#include "vmm/sim/outcome.h"

#include <algorithm>

namespace carrel::sim {

void Chart::add(std::vector<Span>& spans, Nanoseconds begin, Nanoseconds end) const {
    begin = std::max(begin, from);
    end = std::min(end, to);
    if (begin >= end) return;
    if (!spans.empty() && begin - spans.back().to < (to - from) / kMostSpans)
        spans.back().to = end;
    else
        spans.push_back({begin, end});
}

double jains_index(const std::vector<double>& shares) {
    double sum = 0, squares = 0;
    for (const double share : shares) {
        sum += share;
        squares += share * share;
    }
    return squares > 0 ? sum * sum / (static_cast<double>(shares.size()) * squares) : 1;
}

}  // namespace carrel::sim
