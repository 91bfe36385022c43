// carrel version: what this binary is.
#include <fmt/core.h>
#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>

#include "vmm/cli/commands.h"
#include "vmm/cli/exit_status.h"
#include "vmm/cli/say.h"

namespace carrel::cli {

std::string version_text() {
    return fmt::format("carrel {}", CARREL_VERSION);
}

void add_version(CLI::App& app, int& status) {
    app.add_subcommand("version", "Say which version this is")->callback([&status] {
        if (!print_result(version_text() + "\n")) status = kHostFailed;
    });
}

}  // namespace carrel::cli
