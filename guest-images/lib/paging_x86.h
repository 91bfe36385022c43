// A window of 2 MiB through which any physical address can be reached, also above the 4 GiB that are mapped
// one to one.
#pragma once
#include <cstdint>

namespace guest {

constexpr std::uint64_t kWindowSize = 0x200000;

// Moves the window over the 2 MiB block that holds the address; gives the address inside the window. Valid
// until the next call; for one CPU at a time. The result must not be used beyond the end of its 2 MiB block.
std::uint64_t window_at(std::uint64_t physical);

}  // namespace guest
