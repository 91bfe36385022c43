// Whether --net user works: passt is run as it is for a guest, and asked who has an address.
#pragma once

#include <optional>
#include <string>

#include "vmm/app/doctor_report.h"
#include "vmm/base/spawner.h"

namespace carrel::app {

struct PasstService {
    std::optional<std::string> path;  // nothing: it isn't installed
    bool answered = false;
    std::string trouble;  // if it didn't: how it ended, or what it said
};
PasstService try_passt(Spawner& spawner);  // within a second
Finding judge_passt(const PasstService& service);

}  // namespace carrel::app
