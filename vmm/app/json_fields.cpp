#include "vmm/app/json_fields.h"

#include <algorithm>

#include "vmm/config/value_text.h"
#include "vmm/model/machine_config.h"

namespace carrel::app {

using config::Json;
using config::KeyType;

JsonFields::JsonFields(const Json& object, config::Place place) : object_(object), place_(std::move(place)) {
    if (!object.is_object())
        refuse(place_.refused(fmt::format("{} stands there", config::kind_of(object)),
                              "write an object of keys: {…}"));
}

const Json* JsonFields::find(const char* key) {
    known_.emplace_back(key);
    if (!ok()) return nullptr;
    const auto found = object_.find(key);
    return found == object_.end() ? nullptr : &*found;
}

void JsonFields::refuse(Error error) {
    if (ok()) error_ = std::move(error);
}

void JsonFields::refuse(const Result<void>& result) {
    if (!result.ok()) refuse(result.error());
}

// The model's errors begin with the key as an option, which the place has already.
void JsonFields::refuse_value(const char* key, Error error) {
    const std::string option = fmt::format("--{}: ", key);
    if (error.what.starts_with(option)) error.what.erase(0, option.size());
    refuse(place(key).translated(error));
}

std::optional<std::string> JsonFields::typed(const char* key, KeyType type) {
    const Json* const value = find(key);
    if (value == nullptr) return std::nullopt;
    const config::KeyInfo info{.name = key, .type = type, .form = "", .help = "", .preset = ""};
    auto text = config::typed_text(info, *value, place(key));
    if (text.ok()) return std::move(text).value();
    refuse(std::move(text).error());
    return std::nullopt;
}

void JsonFields::number(const char* key, uint32_t& value, uint32_t least, uint32_t most) {
    const auto text = typed(key, KeyType::kNumber);
    if (!text) return;
    const auto parsed = parse_number(*text, key);
    if (!parsed.ok() || *parsed < least || *parsed > most)
        return refuse(place(key).refused(fmt::format("{} is not between {} and {}", *text, least, most)));
    value = *parsed;
}

void JsonFields::time(const char* key, Nanoseconds& value) {
    const auto text = typed(key, KeyType::kTime);
    if (!text) return;
    const auto parsed = parse_duration(*text, (std::string("--") + key).c_str());
    if (!parsed.ok()) return refuse_value(key, parsed.error());
    value = *parsed;
}

void JsonFields::percent(const char* key, uint32_t& value) {
    const auto text = typed(key, KeyType::kShare);
    if (!text) return;
    const auto parsed = parse_cpu_share(*text, (std::string("--") + key).c_str());
    if (!parsed.ok()) return refuse_value(key, parsed.error());
    if (*parsed > kWholeCpu) return refuse(place(key).refused(*text + " is more than 100%"));
    value = static_cast<uint32_t>(*parsed / (kWholeCpu / 100));
}

void JsonFields::text(const char* key, std::string& value) {
    if (auto text = typed(key, KeyType::kText)) value = std::move(*text);
}

Result<void> JsonFields::finish(const char* advice) const {
    if (error_) return *error_;
    for (const auto& item : object_.items())
        if (std::ranges::find(known_, item.key()) == known_.end())
            return place_.refused("unknown key '" + item.key() + "'" + config::suggestion(item.key(), known_),
                                  advice);
    return {};
}

}  // namespace carrel::app
