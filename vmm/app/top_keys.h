// The keys of `carrel top`.
#pragma once

#include <string>
#include <vector>

namespace carrel::app {

enum class TopKey { kQuit, kSuspend, kUp, kDown, kPageUp, kPageDown };

// What the bytes in `typed` mean; what may be the beginning of a key stays there.
std::vector<TopKey> take_keys(std::string& typed);

}  // namespace carrel::app
