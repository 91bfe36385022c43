#include "vmm/config/machine_json.h"

#include "vmm/config/machine_keys.h"
#include "vmm/config/machine_tree.h"
#include "vmm/config/read_keys.h"

namespace carrel::config {

Json machine_tree(const MachineConfig& config) {
    Json tree;
    tree["name"] = config.name;
    tree.update(written_keys(machine_keys(), config));
    return tree;
}

Result<MachineConfig> machine_from_tree(const Json& tree, const Place& place) {
    MachineConfig config;
    TRY(read_keys(machine_keys(), tree, config, place));
    if (const auto checked = check(config); !checked.ok()) return place.translated(checked.error());
    return config;
}

Result<std::string> to_json(const MachineConfig& config) {
    return print_json(machine_tree(config));
}

Result<MachineConfig> machine_from_json(std::string_view text, const std::string& where) {
    const Place place(where);
    TRY_ASSIGN(const Json tree, parse_json(text, place));
    return machine_from_tree(tree, place);
}

}  // namespace carrel::config
