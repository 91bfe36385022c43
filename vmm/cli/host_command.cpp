// carrel host: from a file or a folder to a host of several guests.
#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>

#include <memory>

#include "vmm/cli/commands.h"
#include "vmm/cli/exit_status.h"
#include "vmm/cli/host_session.h"
#include "vmm/cli/say.h"
#include "vmm/control/client.h"

namespace carrel::cli {
namespace {

struct HostOptions {
    std::string config;
    std::string socket;
    std::string placement;
    std::string log = "warning";
    bool isolate = false;
};

Result<int> host(const HostOptions& options) {
    TRY_ASSIGN(const LogLevel level, parse_log_level(options.log));
    config::FleetConfig config;
    if (!options.config.empty()) {
        DirectOpener opener;
        TRY_ASSIGN(config, config::load_fleet(opener, options.config));
    }
    if (!options.placement.empty()) {
        TRY_ASSIGN(config.host.placement, parse_placement(options.placement));
    }
    std::string socket = options.socket;
    if (socket.empty()) {
        TRY_ASSIGN(socket, control::default_socket());
    }
    return HostSession(std::move(config), std::move(socket), level, options.isolate).run();
}

}  // namespace

void add_host(CLI::App& app, int& status) {
    auto* const command = app.add_subcommand("host", "Run several guests; carrel ctl asks it");
    const auto options = std::make_shared<HostOptions>();
    command->add_option("CONFIG", options->config,
                        "a file of JSON, or a folder of such files: carrel schema (default: no guests yet)");
    command->add_option("--socket", options->socket,
                        "where carrel ctl finds it (default: $XDG_RUNTIME_DIR/carrel.sock, for root without "
                        "that /run/carrel.sock)");
    command->add_option("--placement", options->placement,
                        "none, spread or pack: on which host CPUs guests run (default: as CONFIG says, or "
                        "none)");
    command->add_flag("--isolate", options->isolate,
                      "each guest in a process of its own, so that a bug of carrel's ends one only (default: "
                      "all in this one)");
    command->add_option("--log", options->log, "error, warning, info or debug (default: warning)");
    command->callback([options, &status] {
        const auto ended = host(*options);
        if (!ended.ok()) say(ended.error().sentence());
        status = ended.ok() ? *ended : exit_status(ended.error());
    });
}

}  // namespace carrel::cli
