// How fast guest ring 0 really runs, what an exit costs, and which instructions this KVM refuses there.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "vmm/app/doctor_report.h"
#include "vmm/app/tiny_guest_x86.h"

namespace carrel::app {

// Instructions a second of guest ring 0 in 64-bit mode, measured over `shortest` at least and about kGrowth
// times that at most: 1 ms gives a first idea, 20 ms a figure. The error says why the guest didn't get
// through.
Result<double> measure_ring0(TinyGuest& guest, Nanoseconds shortest);
// Nanoseconds for an instruction that runs for the first time: a boot is mostly those, and where the
// processor itself is emulated they are hundreds of times as dear.
Result<double> measure_first_time(TinyGuest& guest);
// Nanoseconds for one port exit to userspace and back.
Result<double> measure_exit(TinyGuest& guest, Nanoseconds patience);

enum class Attempt {
    kRan,
    kRefused,     // KVM gave the vCPU up, or the guest got an exception that it shouldn't have got
    kNotOffered,  // CPUID doesn't promise it
};
struct InstructionAttempt {
    std::string name;
    Attempt result;
};
std::vector<InstructionAttempt> try_instructions(TinyGuest& guest);

Finding judge_ring0(double instructions_per_second, double first_time_ns);
Finding judge_exit(double nanoseconds);
Finding judge_instructions(const std::vector<InstructionAttempt>& attempts);

}  // namespace carrel::app
