// The host's CPUs that a thread may use (sched_setaffinity(2)).
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "vmm/base/result.h"

namespace carrel {

// How many of `cpus` the calling thread may use; of all where the list is empty.
uint32_t count_usable_cpus(std::span<const uint32_t> cpus);
// Whether that is any. `key` is who asked for them, as it stands in the error.
Result<void> check_cpus_usable(std::span<const uint32_t> cpus, const char* key);
// Those of `cpus` that the calling thread may use, or all that it may where the list is empty; in ascending
// order.
std::vector<uint32_t> usable_cpus(std::span<const uint32_t> cpus);
// Keeps the calling thread, and those that it starts from now on, to those of `cpus` that it may use.
Result<void> keep_to_cpus(std::span<const uint32_t> cpus, const char* key);

// Keeps one that exists (gettid(2)), maybe of another process, to these. It is no failure that it has ended,
// or may use none of them any more (cpuset(7)): then it stays where it is.
void keep_thread_to_cpus(int32_t thread, std::span<const uint32_t> cpus);

}  // namespace carrel
