#include "vmm/sim/outcome.h"

namespace carrel::sim {

double jains_index(const std::vector<double>& shares) {
    double sum = 0, squares = 0;
    for (const double share : shares) {
        sum += share;
        squares += share * share;
    }
    return squares > 0 ? sum * sum / (static_cast<double>(shares.size()) * squares) : 1;
}

}  // namespace carrel::sim
