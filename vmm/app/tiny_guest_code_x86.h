// The machine code that the doctor's guest runs, in 64-bit ring 0.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace carrel::app::guest_code {

// RCX times round a mixture of loads, stores, a call and a branch that can't be foreseen, then an OUT; each
// time it is entered again, kGrowth times as many rounds. RSI names two pages of data.
std::span<const std::byte> mixture();
inline constexpr uint64_t kGrowth = 4;
inline constexpr double kInstructionsPerRound = 16.5;  // one is skipped every other time

// OUT, without end.
std::span<const std::byte> exits();

// OUT; then at least so many instructions in blocks of five, each run once; OUT.
std::vector<std::byte> once(size_t instructions);

// One instruction, then OUT to kOkPort; INT3's OUT stands in its handler. RSI names 64-byte aligned zeroes.
std::span<const std::byte> int3();
std::span<const std::byte> int3_handler();
std::span<const std::byte> xrstor();
std::span<const std::byte> cmpxchg16b();

inline constexpr uint16_t kOkPort = 0x10;

}  // namespace carrel::app::guest_code
