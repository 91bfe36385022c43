// A DoctorReport for a person.
#pragma once

#include <string>

#include "vmm/app/doctor_report.h"

namespace carrel::app {

// One finding a paragraph, folded at `columns` where a blank allows it; the verdict last. `colours`: ANSI,
// for a terminal.
std::string to_text(const DoctorReport& report, bool colours, size_t columns = 100);

}  // namespace carrel::app
