// carrel run: from options to one MachineConfig, through a host with one guest, to an exit status.
#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>

#include <map>
#include <memory>

#include "vmm/app/quick_verdict.h"
#include "vmm/cli/commands.h"
#include "vmm/cli/exit_status.h"
#include "vmm/cli/run_session.h"
#include "vmm/cli/say.h"

namespace carrel::cli {
namespace {

// The options as typed; turned into a MachineConfig once, by to_config().
struct RunOptions {
    std::string kernel;
    std::string initrd;
    std::string append;
    std::string name;
    std::string memory;
    uint32_t cpus = 1;
    CpuModel cpu_model = CpuModel::kHost;
    std::string timeout;
    OnReboot on_reboot = OnReboot::kExit;
    std::string serial = "stdio";
    bool hugepages = false;
    LogLevel log = LogLevel::kWarning;
    bool verbose = false;
    uint32_t rebuild_every = 0;
};

Result<MachineConfig> to_config(const RunOptions& options) {
    MachineConfig config;
    if (!options.name.empty()) config.name = options.name;
    config.boot = BootConfig{options.kernel, options.initrd, options.append};
    if (!options.memory.empty()) {
        TRY_ASSIGN(config.memory, parse_size(options.memory, "--memory"));
        TRY(check_memory(config.memory));
    }
    config.cpus = options.cpus;
    config.cpu_model = options.cpu_model;
    config.backing = options.hugepages ? MemoryBacking::kHugetlb : MemoryBacking::kAnonymous;
    config.on_reboot = options.on_reboot;
    config.rebuild_every = options.rebuild_every;
    TRY_ASSIGN(config.serial, parse_serial(options.serial));
    if (!options.timeout.empty()) {
        TRY_ASSIGN(config.timeout, parse_duration(options.timeout, "--timeout"));
    }
    TRY(check(config));
    return config;
}

// `--memory "$MEMORY"` in a script that never set MEMORY: taken for the default, it would be found out much
// later.
std::string refuse_empty(const std::string& value) {
    return value.empty() ? "is given but empty; leave it out for the default" : std::string();
}

// Before a person waits for nothing. A kernel of their own may be one that does run here, so it's no refusal.
void warn_where_linux_cannot_boot(const MachineConfig& config) {
    if (config.boot.kernel.empty()) return;
    DirectOpener opener;
    if (const auto verdict = app::quick_verdict(opener)) say(*verdict);
}

int run(const RunOptions& options) {
    const auto config = to_config(options);
    if (!config.ok()) {
        say(config.error().sentence());
        return exit_status(config.error());
    }
    warn_where_linux_cannot_boot(*config);
    const LogLevel level = options.verbose ? std::max(options.log, LogLevel::kInfo) : options.log;
    return RunSession(*config, level, options.verbose).run();
}

}  // namespace

void add_run(CLI::App& app, int& status) {
    const std::map<std::string, CpuModel> kModels{{"host", CpuModel::kHost},
                                                  {"baseline", CpuModel::kBaseline}};
    const std::map<std::string, OnReboot> kReboots{{"exit", OnReboot::kExit},
                                                   {"restart", OnReboot::kRestart}};
    const std::map<std::string, LogLevel> kLevels{{"error", LogLevel::kError},
                                                  {"warning", LogLevel::kWarning},
                                                  {"info", LogLevel::kInfo},
                                                  {"debug", LogLevel::kDebug}};
    auto* const command = app.add_subcommand("run", "Run a guest on this terminal until it ends");
    const auto options = std::make_shared<RunOptions>();
    RunOptions& o = *options;
    command->add_option("KERNEL", o.kernel, "bzImage or ELF kernel (default: the embedded guest)")
        ->check(refuse_empty, "");
    command->add_option("--initrd", o.initrd, "initial RAM disk (default: none)")->check(refuse_empty, "");
    command->add_option("--append", o.append,
                        "kernel command line; console=ttyS0 and panic=-1 are added unless named");
    command->add_option("--memory", o.memory, "RAM, with K, M or G (default: 512M, the embedded guest 64M)")
        ->check(refuse_empty, "");
    command->add_option("--cpus", o.cpus, "vCPUs (default: 1)");
    command
        ->add_option("--cpu", o.cpu_model, "host: all this host offers; baseline: x86-64-v2 (default: host)")
        ->transform(CLI::CheckedTransformer(kModels).description("host|baseline"));
    command
        ->add_option("--timeout", o.timeout, "end the guest after this time, with status 36 (default: never)")
        ->check(refuse_empty, "");
    command->add_option("--on-reboot", o.on_reboot, "what a reset does (default: exit, with status 32)")
        ->transform(CLI::CheckedTransformer(kReboots).description("exit|restart"));
    command->add_option("--serial", o.serial, "stdio, file:PATH, pty or none (default: stdio)");
    command->add_flag("--hugepages", o.hugepages, "RAM from the host's pool of huge pages (default: off)");
    command->add_option("--name", o.name, "the guest's name in messages and threads (default: guest)")
        ->check(refuse_empty, "");
    command->add_option("--log", o.log, "error, warning, info or debug (default: warning)")
        ->transform(CLI::CheckedTransformer(kLevels).description("LEVEL"));
    command->add_flag("-v,--verbose", o.verbose,
                      "say what is booted, with which command line, and how it ended");
    command->add_option("--rebuild-every", o.rebuild_every)->group("");  // test aid, hidden
    command->callback([options, &status] { status = run(*options); });
}

}  // namespace carrel::cli
