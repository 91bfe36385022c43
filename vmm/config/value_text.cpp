#include "vmm/config/value_text.h"

#include "vmm/config/scalar_text.h"
#include "vmm/config/words_json.h"

namespace carrel::config {

Result<std::string> typed_text(const KeyInfo& key, const Json& value, const Place& place) {
    if (key.type != KeyType::kWords) return scalar_text(key.type, key.form, value, place);
    if (key.bare != nullptr && value == true) return std::string(key.bare);
    if (value.is_string()) return value.get<std::string>();
    return words_text(key, value, place);
}

Json written_value(const KeyInfo& key, const std::string& text) {
    return key.type == KeyType::kWords ? words_json(key, text) : scalar_json(key.type, text);
}

}  // namespace carrel::config
