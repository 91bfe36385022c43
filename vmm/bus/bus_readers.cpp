#include "vmm/bus/bus_readers.h"

#include <algorithm>

namespace carrel {

uint64_t BusReaders::oldest() const {
    uint64_t oldest = generation_.load(std::memory_order_seq_cst);
    for (size_t i = 0; i + 1 < slots_.size(); ++i) {
        const uint64_t noted = slots_[i].generation.load(std::memory_order_seq_cst);
        if (noted != 0) oldest = std::min(oldest, noted);
    }
    const bool crowded =
        slots_.back().generation.load(std::memory_order_seq_cst) != 0;  // by whom isn't known
    return crowded ? 0 : oldest;
}

}  // namespace carrel
