// The options that describe a machine: a row of the table of keys (vmm/config) is an option.
#pragma once

#include <CLI/App.hpp>

#include <memory>
#include <string>
#include <vector>

#include "vmm/config/machine_keys.h"

namespace carrel::cli {

class MachineOptions {
  public:
    // Adds them to `command`, which must not outlive this.
    explicit MachineOptions(CLI::App& command);
    MachineOptions(const MachineOptions&) = delete;
    MachineOptions& operator=(const MachineOptions&) = delete;

    // What was typed, checked whole.
    Result<MachineConfig> config() const;

  private:
    struct Typed {
        const config::MachineKey* key;
        CLI::Option* option = nullptr;
        bool flag = false;
        std::string text;
        std::vector<std::string> list;
    };
    static void add(CLI::App& command, Typed& typed);
    static Result<void> read(const Typed& typed, MachineConfig& config);

    std::vector<Typed> typed_;  // never grows: the parser writes into it
};

}  // namespace carrel::cli
