#include "vmm/config/schema.h"

#include "vmm/config/host_keys.h"
#include "vmm/config/machine_keys.h"
#include "vmm/config/strict_json.h"

namespace carrel::config {
namespace {

Json either(Json one, Json other) {
    Json schema;
    schema["anyOf"] = Json::array({std::move(one), std::move(other)});
    return schema;
}

Json array_of(Json item) {
    return Json{{"type", "array"}, {"items", std::move(item)}, {"maxItems", kMostItems}};
}

Json text_like(const char* pattern) {
    return Json{{"type", "string"}, {"pattern", pattern}};
}

Json text_or_number(const char* pattern, int least) {
    return Json{{"type", {"string", "integer"}}, {"pattern", pattern}, {"minimum", least}};
}

Json one_of_words(std::string_view form) {
    Json words = Json::array();
    for (std::string_view rest = form; !rest.empty();) {
        const size_t bar = rest.find('|');
        words.push_back(std::string(rest.substr(0, bar)));
        rest = bar == rest.npos ? std::string_view() : rest.substr(bar + 1);
    }
    return Json{{"enum", std::move(words)}};
}

Json of_type(KeyType type, const char* form) {
    switch (type) {
        case KeyType::kText: return Json{{"type", "string"}};
        case KeyType::kFile: return Json{{"type", "string"}, {"minLength", 1}};
        case KeyType::kSize: return text_or_number("^[0-9]+(K|k|KiB|M|m|MiB|G|g|GiB|T)?$", 0);
        case KeyType::kTime: return text_or_number("^[0-9]+(us|ms|s|m|min|h)?$", 1);
        case KeyType::kShare: return text_like("^[0-9]{1,6}([.][0-9]{1,4})?%$");
        case KeyType::kNumber: return text_or_number("^[0-9]+$", 0);
        case KeyType::kFlag: return Json{{"type", "boolean"}};
        case KeyType::kChoice: return one_of_words(form);
        case KeyType::kCpus: return text_like("^[0-9]+(-[0-9]+)?(,[0-9]+(-[0-9]+)?)*$");
        case KeyType::kWords: break;
    }
    return Json{{"type", "string"}, {"minLength", 1}};
}

Json object_of(Json properties) {
    return Json{{"type", "object"}, {"properties", std::move(properties)}, {"additionalProperties", false}};
}

Json described(Json schema, std::string description, bool live) {
    Json all;
    all["description"] = std::move(description);
    if (live) all["x-live"] = true;  // may change while the guest runs
    all.update(schema);
    return all;
}

Json of_word(const Word& word) {
    Json schema = of_type(word.type, word.form);
    if (word.bare) schema = either(std::move(schema), Json{{"type", "boolean"}});
    if (word.repeated) {
        Json several = array_of(schema);
        schema = either(std::move(schema), std::move(several));
    }
    return described(std::move(schema), word.help, word.live);
}

Json of_words(const KeyInfo& key) {
    Json properties;
    Json firsts = Json::array();
    for (const Word& word : key.words) {
        properties[word.name] = of_word(word);
        if (word.role != Word::Role::kOption) firsts.push_back(Json{{"required", {word.name}}});
    }
    Json object = object_of(std::move(properties));
    object["oneOf"] = std::move(firsts);
    return either(of_type(key.type, key.form), std::move(object));
}

Json of_key(const KeyInfo& key) {
    Json schema = key.type == KeyType::kWords ? of_words(key) : of_type(key.type, key.form);
    if (key.bare != nullptr) schema["anyOf"].push_back(Json{{"const", true}});
    if (key.list) {
        Json several = array_of(schema);
        schema = either(std::move(schema), std::move(several));
    }
    return described(std::move(schema), fmt::format("{} (default: {})", key.help, key.preset), key.live);
}

template <class Keys>
Json object_of_keys(Keys keys) {
    Json properties;
    for (const auto& key : keys) properties[key.name] = of_key(key);
    return object_of(std::move(properties));
}

Json reference(const char* name) {
    return Json{{"$ref", fmt::format("#/$defs/{}", name)}};
}

}  // namespace

std::string schema_json() {
    Json schema;
    schema["$schema"] = "https://json-schema.org/draft/2020-12/schema";
    schema["title"] = "carrel: guests, and the host that they share";
    schema["description"] = "One guest, or a fleet of them: what `carrel host` reads";
    schema.update(either(reference("guest"), reference("fleet")));
    Json& parts = schema["$defs"];
    Json fleet;
    fleet["host"] = reference("host");
    fleet["guests"] = array_of(reference("guest"));
    parts["fleet"] = object_of(std::move(fleet));
    parts["host"] = object_of_keys(host_keys());
    parts["guest"] = object_of_keys(machine_keys());
    return schema.dump(2) + "\n";  // our own words: UTF-8
}

}  // namespace carrel::config
