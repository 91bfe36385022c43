#include "vmm/config/fleet_json.h"

#include <map>
#include <optional>

#include "vmm/config/config_files.h"
#include "vmm/config/host_keys.h"
#include "vmm/config/machine_tree.h"
#include "vmm/config/read_keys.h"

namespace carrel::config {
namespace {

Json fleet_tree(const FleetConfig& fleet) {
    Json tree;
    const Json host = written_keys(host_keys(), fleet.host);
    if (!host.empty()) tree["host"] = host;
    tree["guests"] = Json::array();
    for (const MachineConfig& guest : fleet.guests) tree["guests"].push_back(machine_tree(guest));
    return tree;
}

// Puts one fleet together of several files.
class Reader {
  public:
    Result<void> add(std::string_view text, const std::string& file) {
        const Place place(file);
        TRY_ASSIGN(const Json tree, parse_json(text, place));
        const bool fleet = tree.is_object() && (tree.contains("guests") || tree.contains("host"));
        return fleet ? add_fleet(tree, place) : add_guest(tree, place);
    }
    FleetConfig take() { return std::move(fleet_); }

  private:
    Result<void> add_fleet(const Json& tree, const Place& place) {
        constexpr std::array<std::string_view, 2> kKeys = {"host", "guests"};
        for (const auto& item : tree.items())
            if (std::ranges::find(kKeys, item.key()) == kKeys.end())
                return place.refused("unknown key '" + item.key() + "'" + suggestion(item.key(), kKeys),
                                     "a file of several guests has the keys host and guests");
        if (const auto host = tree.find("host"); host != tree.end()) TRY(add_host(*host, place.key("host")));
        const auto guests = tree.find("guests");
        if (guests == tree.end()) return {};
        const Place there = place.key("guests");
        if (!guests->is_array())
            return there.refused(fmt::format("{} stands there", kind_of(*guests)),
                                 "write an array of objects: [{…}, …]");
        for (size_t i = 0; i < guests->size(); ++i) TRY(add_guest((*guests)[i], there.item(i)));
        return {};
    }

    Result<void> add_host(const Json& tree, const Place& place) {
        if (host_at_)
            return place.refused("there is a host already, in " + *host_at_, "write all in one place");
        host_at_ = place.text();
        TRY(read_keys(host_keys(), tree, fleet_.host, place));
        if (const auto checked = check_host(fleet_.host); !checked.ok())
            return place.translated(checked.error());
        return {};
    }

    Result<void> add_guest(const Json& tree, const Place& place) {
        TRY_ASSIGN(MachineConfig guest, machine_from_tree(tree, place));
        const auto [other, fresh] = named_at_.try_emplace(guest.name, place.text());
        if (!fresh)
            return place.refused("a guest is called '" + guest.name + "' already, in " + other->second,
                                 "give each a name of its own");
        fleet_.guests.push_back(std::move(guest));
        return {};
    }

    FleetConfig fleet_;
    std::optional<std::string> host_at_;
    std::map<std::string, std::string> named_at_;
};

}  // namespace

Result<std::string> to_json(const HostConfig& host) {
    return print_json(written_keys(host_keys(), host));
}

Result<std::string> to_json(const FleetConfig& fleet) {
    return print_json(fleet_tree(fleet));
}

Result<FleetConfig> fleet_from_json(std::string_view text, const std::string& where) {
    Reader reader;
    TRY(reader.add(text, where));
    return reader.take();
}

Result<FleetConfig> load_fleet(Opener& opener, const std::string& path) {
    TRY_ASSIGN(const auto files, read_config_files(opener, path));
    Reader reader;
    for (const ConfigFile& file : files) TRY(reader.add(file.text, file.path));
    return reader.take();
}

}  // namespace carrel::config
