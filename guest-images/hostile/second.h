// The second processor: it does one thing to one device, over and over, until it is told to stop.
#pragma once

#include "hostile/attack.h"

namespace guest {

enum class Meanwhile : unsigned {
    kNothing,
    kReset,
    kMoveBar,
    kWriteRegisters,
    kNotify,
    kMessages,
    kReadConfig,
    kWriteRings,
};

// Once, before all others: starts the other processors, if there are any.
const char* second_boots();
bool second_is_there();
// Returns when it is at it; false: there is none.
bool second_starts(Meanwhile what, const Attack& attack);
bool second_ends();

}  // namespace guest
