// carrel schema: what a file for `carrel host` may say, and whether one says it.
#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>

#include <memory>
#include <string>

#include "vmm/base/opener.h"
#include "vmm/cli/commands.h"
#include "vmm/cli/exit_status.h"
#include "vmm/cli/say.h"
#include "vmm/config/fleet_json.h"
#include "vmm/config/schema.h"

namespace carrel::cli {
namespace {

Result<std::string> answer(const std::string& path) {
    if (path.empty()) return config::schema_json();
    DirectOpener opener;
    TRY_ASSIGN(const auto fleet, config::load_fleet(opener, path));
    return config::to_json(fleet);
}

int show(const std::string& path) {
    const auto text = answer(path);
    if (text.ok()) return print_result(*text) ? kPoweredOff : kHostFailed;
    say(text.error().sentence());
    return exit_status(text.error());
}

}  // namespace

void add_schema(CLI::App& app, int& status) {
    auto* const command =
        app.add_subcommand("schema", "Print the JSON Schema of what carrel host reads, or check a file");
    const auto path = std::make_shared<std::string>();
    command->add_option(
        "--check", *path,
        "print instead what this file or folder says, or what is wrong with it (default: none)");
    command->footer("Exit status: 0, or 35 where the file is refused.");
    command->callback([path, &status] { status = show(*path); });
}

}  // namespace carrel::cli
