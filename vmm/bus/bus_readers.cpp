#include "vmm/bus/bus_readers.h"

#include <algorithm>

namespace carrel {

uint64_t BusReaders::oldest() const {
    uint64_t oldest = generation_.load(std::memory_order_seq_cst);
    for (const Slot& slot : slots_) {
        const uint64_t noted = slot.generation.load(std::memory_order_seq_cst);
        if (noted != 0) oldest = std::min(oldest, noted);
    }
    const bool crowded = crowd_.load(std::memory_order_seq_cst) != 0;  // by whom isn't known
    return crowded ? 0 : oldest;
}

}  // namespace carrel
