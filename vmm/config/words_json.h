// What is said about a device: "a.img,ro,id=x" and {"file": "a.img", "ro": true, "id": "x"}.
#pragma once

#include "vmm/config/key.h"
#include "vmm/config/strict_json.h"

namespace carrel::config {

Result<std::string> words_text(const KeyInfo& key, const Json& value, const Place& place);
Json words_json(const KeyInfo& key, const std::string& text);

}  // namespace carrel::config
