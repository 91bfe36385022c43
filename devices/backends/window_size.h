// WindowSize: how much a terminal shows.
#pragma once

#include <cstdint>

namespace carrel {

struct WindowSize {
    uint16_t columns = 0;  // 0: not known
    uint16_t rows = 0;
    bool operator==(const WindowSize&) const = default;
};

}  // namespace carrel
