// What a simulation measured, as a table for people.
#pragma once

#include <string>

#include "vmm/sim/outcome.h"

namespace carrel::sim {

std::string outcome_text(const Outcome& outcome);

// Of a guest's bursts: sums divided by how many there were; 0 where there were none.
Nanoseconds mean(Nanoseconds sum, uint64_t count);
// In percent of one CPU.
double share_of(const GuestResult& guest, Nanoseconds end);

}  // namespace carrel::sim
