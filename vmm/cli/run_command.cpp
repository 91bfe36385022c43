// carrel run: from options to one MachineConfig, through a host with one guest, to an exit status.
#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>

#include <memory>

#include "vmm/app/quick_verdict.h"
#include "vmm/cli/commands.h"
#include "vmm/cli/exit_status.h"
#include "vmm/cli/machine_options.h"
#include "vmm/cli/run_session.h"
#include "vmm/cli/say.h"
#include "vmm/config/machine_json.h"

namespace carrel::cli {
namespace {

// The machine's, and what is said about this one run.
struct RunOptions {
    explicit RunOptions(CLI::App& command) : machine(command) {}

    MachineOptions machine;
    std::string log = "warning";
    bool verbose = false;
    bool print_config = false;
};

// Before a person waits for nothing. A kernel of their own may be one that does run here, so it's no refusal.
void warn_where_linux_cannot_boot(const MachineConfig& config) {
    if (config.boot.kernel.empty()) return;
    DirectOpener opener;
    if (const auto verdict = app::quick_verdict(opener)) say(*verdict);
}

int refuse(const Error& error) {
    say(error.sentence());
    return exit_status(error);
}

int print(const MachineConfig& config) {
    const auto json = config::to_json(config);
    if (!json.ok()) return refuse(json.error());
    return print_result(*json) ? kPoweredOff : kHostFailed;
}

int run(const RunOptions& options) {
    const auto config = options.machine.config();
    if (!config.ok()) return refuse(config.error());
    const auto log = parse_log_level(options.log);
    if (!log.ok()) return refuse(log.error());
    if (options.print_config) return print(*config);
    warn_where_linux_cannot_boot(*config);
    const LogLevel level = options.verbose ? std::max(*log, LogLevel::kInfo) : *log;
    return RunSession(*config, level, options.verbose).run();
}

}  // namespace

void add_run(CLI::App& app, int& status) {
    auto* const command = app.add_subcommand("run", "Run a guest on this terminal until it ends");
    const auto options = std::make_shared<RunOptions>(*command);
    RunOptions& o = *options;
    command->add_flag(
        "--print-config", o.print_config,
        "write what was typed as JSON, as carrel host reads it, and start nothing (default: off)");
    command->add_option("--log", o.log, "error, warning, info or debug (default: warning)");
    command->add_flag("-v,--verbose", o.verbose,
                      "say what is booted, with which command line, how it ended, and what its network "
                      "interfaces passed on (default: off)");
    command->callback([options, &status] { status = run(*options); });
}

}  // namespace carrel::cli
