// Routes: which path and method is which verb. README.md of this folder lists them.
#pragma once

#include <functional>
#include <string>

#include "vmm/control/http_message.h"
#include "vmm/host/fleet.h"

namespace carrel::control {

// On the io thread; `done` is told on it, maybe later.
void serve(Fleet& fleet, const Request& request, std::function<void(Answer)> done);

// Of "/guests/NAME/console". Nothing: it is another path.
std::optional<std::string> console_of(const Request& request);
bool is_event_stream(const Request& request);
Answer answer_to(const Error& error, Status of_usage);

}  // namespace carrel::control
