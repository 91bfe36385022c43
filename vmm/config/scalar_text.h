// A number, a word, true or false as what would be typed, and back.
#pragma once

#include "vmm/config/key.h"
#include "vmm/config/strict_json.h"

namespace carrel::config {

// What a value of this type may be in JSON, for people: "a size such as \"512M\"".
const char* wanted(KeyType type);

Result<std::string> scalar_text(KeyType type, const char* form, const Json& value, const Place& place);
Json scalar_json(KeyType type, const std::string& text);

}  // namespace carrel::config
