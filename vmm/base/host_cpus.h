// The host's CPUs that a thread may use (sched_setaffinity(2)).
#pragma once

#include <cstdint>
#include <span>

#include "vmm/base/result.h"

namespace carrel {

// How many of `cpus` the calling thread may use; of all where the list is empty.
uint32_t count_usable_cpus(std::span<const uint32_t> cpus);
// Whether that is any. `key` is who asked for them, as it stands in the error.
Result<void> check_cpus_usable(std::span<const uint32_t> cpus, const char* key);
// Keeps the calling thread, and those that it starts from now on, to those of `cpus` that it may use.
Result<void> keep_to_cpus(std::span<const uint32_t> cpus, const char* key);

}  // namespace carrel
