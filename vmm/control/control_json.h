// What the control socket says, as JSON: one object in one line each.
#pragma once

#include <string>
#include <vector>

#include "vmm/host/fleet.h"

namespace carrel::control {

std::string error_json(const Error& error);  // {"what": …, "advice": …}
std::string event_json(const GuestEvent& event);
std::string guest_json(const GuestInfo& guest);
std::string guests_json(const std::vector<GuestInfo>& guests);
// `placement`: null where the host's kernel decides.
std::string stats_json(const std::string& name, const GuestStats& stats, const GuestPlacement* placement);
std::string host_json(const HostAccount& account, std::optional<Policy> policy,
                      const GuestPlacement* placement);
// {"policy": "fcfs"}
Result<Policy> policy_from_json(const std::string& text);

}  // namespace carrel::control
