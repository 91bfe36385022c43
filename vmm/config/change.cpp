#include "vmm/config/change.h"

#include <algorithm>
#include <optional>
#include <span>

#include "vmm/config/machine_keys.h"
#include "vmm/config/machine_tree.h"
#include "vmm/config/read_keys.h"
#include "vmm/model/device_config.h"

namespace carrel::config {
namespace {

void put(Json& object, const std::string& name, const Json& value) {
    if (value.is_null())
        object.erase(name);
    else
        object[name] = value;
}

// "disk[0].bps" as the object that it is of, and "bps"; "balloon.size" likewise. Nothing where there is no
// such device.
std::pair<Json*, std::string> device_word(Json& tree, const std::string& path) {
    const size_t dot = path.find('.');
    if (dot == path.npos) return {};
    const std::string device = path.substr(0, dot);
    const size_t bracket = device.find('[');
    const auto found = tree.find(device.substr(0, bracket));
    if (found == tree.end()) return {};
    Json* object = &*found;
    if (bracket != device.npos) {
        if (device.back() != ']') return {};
        const auto index =
            whole_number(std::string_view(device).substr(bracket + 1, device.size() - bracket - 2));
        if (!index || !object->is_array() || *index >= object->size()) return {};
        object = &(*object)[*index];
    }
    if (!object->is_object()) return {};
    return {object, path.substr(dot + 1)};
}

Result<void> apply(Json& tree, const Json& patch, const Place& place) {
    if (!patch.is_object())
        return place.refused(fmt::format("{} stands there", kind_of(patch)), "write an object of keys: {…}");
    for (const auto& item : patch.items()) {
        const auto [object, word] = device_word(tree, item.key());
        if (object != nullptr)
            put(*object, word, item.value());
        else if (item.key().find('.') != std::string::npos)
            return place.refused("the guest has no device for '" + item.key() + "'",
                                 "write such as disk[0].bps for the first disk");
        else
            put(tree, item.key(), item.value());
    }
    return {};
}

// A device without those of its words that may change.
Json fixed_part(const MachineKey& key, const std::string& text) {
    Json value = written_value(key, text);
    for (const Word& word : key.words)
        if (word.live) value.erase(word.name);
    return value;
}

bool may_become(const MachineKey& key, const Texts& before, const Texts& after) {
    if (key.live || before == after) return true;
    if (key.words.empty()) return false;
    return std::ranges::equal(before, after, [&key](const std::string& a, const std::string& b) {
        return fixed_part(key, a) == fixed_part(key, b);
    });
}

Result<void> check_live(const MachineConfig& now, const MachineConfig& then, const Place& place) {
    for (const MachineKey& key : machine_keys())
        if (!may_become(key, key.get(now), key.get(then)))
            return place.key(key.name).refused("it can't change while the guest runs",
                                               "stop the guest first, or leave it out");
    return {};
}

}  // namespace

Result<MachineConfig> changed(const MachineConfig& now, std::string_view patch, bool running,
                              const std::string& where) {
    const Place place(where);
    TRY_ASSIGN(const Json said, parse_json(patch, place));
    Json tree = machine_tree(now);
    TRY(apply(tree, said, place));
    TRY_ASSIGN(MachineConfig then, machine_from_tree(tree, place));
    if (running) TRY(check_live(now, then, place));
    return then;
}

Result<std::string> patch_of(const std::string& key, const std::string& value) {
    Json patch;
    const bool flag = value == "true" || value == "false";
    patch[key] = value == "default" ? Json(nullptr) : flag ? Json(value == "true") : Json(value);
    return print_json(patch);
}

}  // namespace carrel::config
