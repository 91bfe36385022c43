// An object of JSON into a configuration, and back, by a table of keys. The same for machines and hosts.
#pragma once

#include <algorithm>
#include <span>

#include "vmm/config/value_text.h"

namespace carrel::config {

template <class Config>
Result<void> check_names(std::span<const Key<Config>> keys, const Json& object, const Place& place) {
    if (!object.is_object())
        return place.refused(fmt::format("{} stands there", kind_of(object)), "write an object of keys: {…}");
    std::vector<std::string_view> known;
    for (const auto& key : keys) known.emplace_back(key.name);
    for (const auto& item : object.items())
        if (std::ranges::find(known, item.key()) == known.end())
            return place.refused("unknown key '" + item.key() + "'" + suggestion(item.key(), known),
                                 "carrel schema lists all keys");
    return {};
}

template <class Config>
Result<void> read_value(const Key<Config>& key, const Json& value, Config& config, const Place& place) {
    TRY_ASSIGN(const std::string text, typed_text(key, value, place));
    const auto set = key.set(config, text);
    if (set.ok()) return {};
    // It begins with the key, which the place has already, with its number in a list.
    Error error = set.error();
    const std::string option = fmt::format("--{}: ", key.name);
    if (error.what.starts_with(option)) error.what.erase(0, option.size());
    return place.translated(error);
}

template <class Config>
Result<void> read_keys(std::span<const Key<Config>> keys, const Json& object, Config& config,
                       const Place& place) {
    TRY(check_names(keys, object, place));
    for (const auto& key : keys) {
        const auto found = object.find(key.name);
        if (found == object.end()) continue;
        const Place there = place.key(key.name);
        if (!key.list || !found->is_array()) {
            TRY(read_value(key, *found, config, there));
            continue;
        }
        for (size_t i = 0; i < found->size(); ++i) TRY(read_value(key, (*found)[i], config, there.item(i)));
    }
    return {};
}

// What differs from what is when nothing is said.
template <class Config>
Json written_keys(std::span<const Key<Config>> keys, const Config& config) {
    Json object = Json::object();
    const Config unsaid;
    for (const auto& key : keys) {
        const Texts texts = key.get(config);
        if (texts == key.get(unsaid) || texts.empty()) continue;
        for (const std::string& text : texts) {
            if (key.list)
                object[key.name].push_back(written_value(key, text));
            else
                object[key.name] = written_value(key, text);
        }
    }
    return object;
}

}  // namespace carrel::config
