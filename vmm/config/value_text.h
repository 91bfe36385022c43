// One value of JSON as what would be typed behind the option, and back: whatever is said goes through the
// same parser, so that an option and a key mean the same.
#pragma once

#include "vmm/config/key.h"
#include "vmm/config/strict_json.h"

namespace carrel::config {

// Of kWords: an object, or what would be typed; of a list, one of its items.
Result<std::string> typed_text(const KeyInfo& key, const Json& value, const Place& place);
// The one form in which it is written.
Json written_value(const KeyInfo& key, const std::string& text);

}  // namespace carrel::config
