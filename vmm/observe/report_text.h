// Text from plain data: no KVM, no guest.
#pragma once

#include <string>

#include "vmm/observe/cpu_snapshot.h"
#include "vmm/observe/failure_words.h"

namespace carrel::observe {

// Several lines without a newline at the end. The first is the cause, the others are indented by two.
std::string report_text(const Explanation& explanation, const CpuSnapshot& cpu);

}  // namespace carrel::observe
