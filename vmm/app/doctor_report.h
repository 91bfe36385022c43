// DoctorReport: what `carrel doctor` found, as plain data. Start here; doctor.h fills it, doctor_text.h and
// doctor_json.h show it.
#pragma once

#include <string>
#include <vector>

#include "vmm/app/verdict.h"

namespace carrel::app {

enum class FindingState {
    kOk,
    kInfo,  // neither good nor bad
    kWarn,  // something is missing that a user may want
    kFail,  // guests don't run because of it
};

struct Finding {
    std::string id;  // stable, for scripts: "kvm-access"
    FindingState state = FindingState::kInfo;
    std::string sentence;             // what was found
    std::vector<std::string> advice;  // what to do, a sentence or a line to type each
};

// One KVM_CHECK_EXTENSION: 0 is absent.
struct CapabilityValue {
    std::string name;
    int value = 0;
};

struct DoctorReport {
    std::vector<Finding> findings;
    std::vector<CapabilityValue> capabilities;
    HostFacts facts;
    Verdict verdict;
};

}  // namespace carrel::app
