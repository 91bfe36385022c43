#include "vmm/config/scalar_text.h"

#include <charconv>
#include <cstdint>

namespace carrel::config {
namespace {

bool takes_number(KeyType type) {
    return type == KeyType::kSize || type == KeyType::kTime || type == KeyType::kNumber;
}

}  // namespace

const char* wanted(KeyType type) {
    switch (type) {
        case KeyType::kText: return "a text";
        case KeyType::kFile: return "a path, such as \"vmlinuz\"";
        case KeyType::kSize: return "a size, such as \"512M\", or a number of bytes";
        case KeyType::kTime: return "a time, such as \"10ms\", or a number of seconds";
        case KeyType::kShare: return "a share, such as \"25%\"";
        case KeyType::kNumber: return "a whole number";
        case KeyType::kFlag: return "true or false";
        case KeyType::kChoice: return "a word";
        case KeyType::kCpus: return "a list of CPUs, such as \"0-3,6\"";
        case KeyType::kWords: return "an object, or a text as the option takes it";
    }
    return "";
}

Result<std::string> scalar_text(KeyType type, const char* form, const Json& value, const Place& place) {
    if (type == KeyType::kFlag && value.is_boolean())
        return std::string(value.get<bool>() ? "true" : "false");
    if (takes_number(type) && value.is_number_unsigned()) return std::to_string(value.get<uint64_t>());
    if (type != KeyType::kFlag && value.is_string()) {
        auto text = value.get<std::string>();
        if (!text.empty() || type == KeyType::kText) return text;
        return place.refused("it is empty", "leave it out for the default");
    }
    return place.refused(fmt::format("{} stands there", kind_of(value)),
                         type == KeyType::kChoice ? fmt::format("write one of {}", form)
                                                  : fmt::format("write {}", wanted(type)));
}

Json scalar_json(KeyType type, const std::string& text) {
    if (type == KeyType::kFlag) return text == "true";
    uint64_t number = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    const bool whole = error == std::errc{} && end == text.data() + text.size();
    return type == KeyType::kNumber && whole ? Json(number) : Json(text);
}

}  // namespace carrel::config
