// The host's answers as tables for people.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "vmm/base/result.h"

namespace carrel::control {

std::string guests_table(const std::string& json);
std::string guest_text(const std::string& json);
std::string host_table(const std::string& json);
std::string stats_text(const std::string& json);
std::string event_text(std::string_view json);
// Patches of one key each as one patch.
Result<std::string> merged(const std::vector<std::string>& patches);
std::string policy_body(const std::string& name);

}  // namespace carrel::control
