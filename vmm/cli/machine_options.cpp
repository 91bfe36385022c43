#include "vmm/cli/machine_options.h"

#include <fmt/core.h>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>

#include <string_view>

namespace carrel::cli {
namespace {

using config::KeyType;
using config::MachineKey;

// `--memory "$MEMORY"` in a script that never set MEMORY: taken for the default, it would be found out much
// later.
std::string refuse_empty(const std::string& value) {
    return value.empty() ? "is given but empty; leave it out for the default" : std::string();
}

std::string help_of(const MachineKey& key) {
    const bool words = key.type == KeyType::kWords && key.bare == nullptr;
    return fmt::format("{}{}{}{} (default: {})", words ? key.form : "", words ? ": " : "", key.help,
                       key.list ? "; can be given again" : "", key.preset);
}

// "--memory", but the kernel stands by itself. "--balloon{0}": what it means without a value.
std::string spelling_of(const MachineKey& key) {
    constexpr std::string_view kPositional = "kernel";
    if (key.name == kPositional) return "KERNEL";
    return key.bare == nullptr ? fmt::format("--{}", key.name)
                               : fmt::format("--{}{{{}}}", key.name, key.bare);
}

}  // namespace

MachineOptions::MachineOptions(CLI::App& command) {
    typed_.reserve(config::machine_keys().size());
    for (const MachineKey& key : config::machine_keys()) {
        typed_.push_back(Typed{&key, {}, {}, {}, {}});
        add(command, typed_.back());
    }
}

void MachineOptions::add(CLI::App& command, Typed& typed) {
    const MachineKey& key = *typed.key;
    const std::string spelling = spelling_of(key), help = help_of(key);
    if (key.type == KeyType::kFlag)
        typed.option = command.add_flag(spelling, typed.flag, help);
    else if (key.bare != nullptr)
        typed.option = command.add_flag(spelling, typed.text, help);
    else if (key.list)
        typed.option = command.add_option(spelling, typed.list, help)->allow_extra_args(false);
    else
        typed.option = command.add_option(spelling, typed.text, help);
    // What a text or one of some words may be, its parser says better.
    const bool own_words = key.type == KeyType::kText || key.type == KeyType::kChoice;
    if (!own_words && key.type != KeyType::kFlag && !key.list) typed.option->check(refuse_empty, "");
    if (key.hidden) typed.option->group("");
}

Result<void> MachineOptions::read(const Typed& typed, MachineConfig& config) {
    if (typed.option->count() == 0) return {};
    if (typed.key->type == KeyType::kFlag) return typed.key->set(config, typed.flag ? "true" : "false");
    if (!typed.key->list) return typed.key->set(config, typed.text);
    for (const std::string& text : typed.list) TRY(typed.key->set(config, text));
    return {};
}

Result<MachineConfig> MachineOptions::config() const {
    MachineConfig config;
    for (const Typed& typed : typed_) TRY(read(typed, config));
    TRY(check(config));
    return config;
}

}  // namespace carrel::cli
