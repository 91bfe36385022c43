// carrel version: what this binary is.
#include <fmt/core.h>
#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>

#include "vmm/cli/commands.h"

namespace carrel::cli {

std::string version_text() {
    return fmt::format("carrel {}", CARREL_VERSION);
}

void add_version(CLI::App& app, int&) {
    app.add_subcommand("version", "Say which version this is")->callback([] {
        fmt::print("{}\n", version_text());
    });
}

}  // namespace carrel::cli
