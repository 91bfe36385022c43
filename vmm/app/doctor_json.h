// A DoctorReport for a program.
#pragma once

#include <string>

#include "vmm/app/doctor_report.h"

namespace carrel::app {

// {"format": 1, "verdict": {"ability": "linux|small-guests|none", "exit_status", "sentence", "boot_seconds"},
//  "measured": {"instructions_per_second", "first_time_ns", "exit_ns", "refused_instructions"},
//  "findings": [{"id", "state": "ok|info|warn|fail", "sentence", "advice": []}], "capabilities": {NAME:
//  value}}
// What wasn't measured is null. Ends with a newline.
std::string to_json(const DoctorReport& report);

}  // namespace carrel::app
