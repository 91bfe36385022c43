// Random: numbers that are the same everywhere for the same seed, which those of the standard library aren't.
// The generator is SplitMix64 (Steele, Lea, Flood: Fast splittable pseudorandom number generators, 2014).
#pragma once

#include <cstdint>

#include "vmm/base/clock.h"

namespace carrel::sim {

class Random {
  public:
    explicit Random(uint64_t seed) : state_(seed) {}

    uint64_t next() {
        state_ += 0x9E3779B97F4A7C15;
        uint64_t z = state_;
        z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9;
        z = (z ^ (z >> 27)) * 0x94D049BB133111EB;
        return z ^ (z >> 31);
    }

    // Evenly from `time` - percent to `time` + percent.
    Nanoseconds around(Nanoseconds time, uint32_t percent) {
        const Nanoseconds most = time / 100 * percent + time % 100 * percent / 100;
        if (most == 0) return time;
        return time - most + static_cast<Nanoseconds>(next() % (2 * static_cast<uint64_t>(most) + 1));
    }

  private:
    uint64_t state_;
};

}  // namespace carrel::sim
