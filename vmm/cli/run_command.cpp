// carrel run: from options to one MachineConfig, through a host with one guest, to an exit status.
#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>

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
    std::string cpus = "1";
    std::string cpu_model = "host";
    std::string cpu_cap;
    std::string cpu_reserve;
    std::string cpu_burst;
    std::string cpu_period;
    uint32_t cpu_weight = CpuQuota::kDefaultWeight;
    std::string cpus_allowed;
    std::string memory_quota;
    std::string swap;
    std::string on_memory_limit;
    std::string timeout;
    std::string on_reboot = "exit";
    std::string serial = "stdio";
    std::string console = "serial";
    std::vector<std::string> disks;
    std::vector<std::string> nets;
    bool entropy = false;
    std::string balloon;
    std::string vsock;
    std::string transport = "pci";
    bool packed_rings = false;
    bool hugepages = false;
    std::string log = "warning";
    bool verbose = false;
    uint32_t rebuild_every = 0;
};

Result<CpuQuota> to_cpu_quota(const RunOptions& options) {
    CpuQuota quota;
    if (!options.cpu_cap.empty()) {
        TRY_ASSIGN(quota.cap, parse_cpu_share(options.cpu_cap, "--cpu-cap"));
    }
    quota.weight = options.cpu_weight;
    if (!options.cpu_reserve.empty()) {
        TRY_ASSIGN(quota.reserve, parse_cpu_share(options.cpu_reserve, "--cpu-reserve"));
    }
    if (!options.cpu_burst.empty()) {
        TRY_ASSIGN(quota.burst, parse_duration(options.cpu_burst, "--cpu-burst"));
    }
    if (!options.cpu_period.empty()) {
        TRY_ASSIGN(quota.period, parse_duration(options.cpu_period, "--cpu-period"));
    }
    return quota;
}

Result<std::optional<MemoryQuota>> to_memory_quota(const RunOptions& options) {
    if (options.memory_quota.empty()) {
        if (options.swap.empty() && options.on_memory_limit.empty()) return std::optional<MemoryQuota>();
        return usage_error(
            options.swap.empty() ? "--on-memory-limit: there is no limit" : "--swap: there is no quota",
            "write --memory-quota, too");
    }
    MemoryQuota quota;
    TRY_ASSIGN(quota.bytes, parse_size(options.memory_quota, "--memory-quota"));
    if (!options.swap.empty()) {
        TRY_ASSIGN(quota.swap, parse_swap(options.swap));
    }
    if (!options.on_memory_limit.empty()) {
        TRY_ASSIGN(quota.on_limit, parse_on_memory_limit(options.on_memory_limit));
    }
    return std::optional(quota);
}

Result<MachineConfig> to_config(const RunOptions& options) {
    MachineConfig config;
    if (!options.name.empty()) config.name = options.name;
    config.boot = BootConfig{options.kernel, options.initrd, options.append};
    if (!options.memory.empty()) {
        TRY_ASSIGN(config.memory, parse_size(options.memory, "--memory"));
        TRY(check_memory(config.memory));
    }
    TRY_ASSIGN(config.cpus, parse_cpus(options.cpus));
    TRY_ASSIGN(config.cpu_model, parse_cpu_model(options.cpu_model));
    TRY_ASSIGN(config.cpu_quota, to_cpu_quota(options));
    if (!options.cpus_allowed.empty()) {
        TRY_ASSIGN(config.cpus_allowed, parse_cpu_list(options.cpus_allowed, "--cpus-allowed"));
    }
    TRY_ASSIGN(config.memory_quota, to_memory_quota(options));
    config.backing = options.hugepages ? MemoryBacking::kHugetlb : MemoryBacking::kAnonymous;
    TRY_ASSIGN(config.on_reboot, parse_on_reboot(options.on_reboot));
    config.rebuild_every = options.rebuild_every;
    TRY_ASSIGN(config.serial, parse_serial(options.serial));
    TRY_ASSIGN(config.console, parse_console(options.console));
    for (const std::string& disk : options.disks) {
        TRY_ASSIGN(DiskConfig parsed, parse_disk(disk));
        config.disks.push_back(std::move(parsed));
    }
    for (const std::string& net : options.nets) {
        TRY_ASSIGN(NetConfig parsed, parse_net(net));
        config.nets.push_back(std::move(parsed));
    }
    config.entropy = options.entropy;
    if (!options.balloon.empty()) {
        TRY_ASSIGN(config.balloon, parse_balloon(options.balloon));
    }
    if (!options.vsock.empty()) {
        TRY_ASSIGN(config.vsock, parse_vsock(options.vsock));
    }
    config.packed_rings = options.packed_rings;
    TRY_ASSIGN(config.transport, parse_transport(options.transport));
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
    const auto log = parse_log_level(options.log);
    if (!log.ok()) {
        say(log.error().sentence());
        return exit_status(log.error());
    }
    warn_where_linux_cannot_boot(*config);
    const LogLevel level = options.verbose ? std::max(*log, LogLevel::kInfo) : *log;
    return RunSession(*config, level, options.verbose).run();
}

}  // namespace

void add_run(CLI::App& app, int& status) {
    auto* const command = app.add_subcommand("run", "Run a guest on this terminal until it ends");
    const auto options = std::make_shared<RunOptions>();
    RunOptions& o = *options;
    command->add_option("KERNEL", o.kernel, "bzImage or ELF kernel (default: the embedded guest)")
        ->check(refuse_empty, "");
    command->add_option("--initrd", o.initrd, "initial RAM disk (default: none)")->check(refuse_empty, "");
    command->add_option(
        "--append", o.append,
        "kernel command line (default: none; console=ttyS0 or hvc0, panic=-1 and an earlycon are added "
        "unless you say something about them)");
    command->add_option("--memory", o.memory, "RAM, with K, M or G (default: 512M, the embedded guest 64M)")
        ->check(refuse_empty, "");
    command->add_option("--cpus", o.cpus, "vCPUs (default: 1)");
    command->add_option("--cpu", o.cpu_model,
                        "host: all this host offers; baseline: x86-64-v2 (default: host)");
    const auto quota_option = [command](const char* name, std::string& value, const char* help) {
        command->add_option(name, value, help)->check(refuse_empty, "");
    };
    quota_option("--cpu-cap", o.cpu_cap,
                 "at most so much of one host CPU, such as 25% or 150% (default: no limit)");
    command->add_option("--cpu-weight", o.cpu_weight,
                        "its part of what guests contend for, 1 to 10000 (default: 100)");
    quota_option("--cpu-reserve", o.cpu_reserve, "at least so much of one host CPU (default: none)");
    quota_option("--cpu-burst", o.cpu_burst,
                 "unused CPU time that it may save up under a cap (default: none)");
    quota_option("--cpu-period", o.cpu_period, "the cap holds over each such time (default: 10ms)");
    quota_option("--cpus-allowed", o.cpus_allowed, "host CPUs that it may use, such as 0-3,6 (default: all)");
    quota_option("--memory-quota", o.memory_quota,
                 "host memory that its RAM may occupy (default: all of its RAM)");
    quota_option("--swap", o.swap,
                 "FILE[,size=SIZE]: where what is beyond the quota goes (default: none; the guest's memory)");
    quota_option("--on-memory-limit", o.on_memory_limit,
                 "hold or kill: what happens when nothing more can be given back (default: hold)");
    command
        ->add_option("--timeout", o.timeout, "end the guest after this time, with status 36 (default: never)")
        ->check(refuse_empty, "");
    command->add_option("--on-reboot", o.on_reboot,
                        "exit or restart: what a reset does (default: exit, with status 32)");
    command->add_option("--serial", o.serial, "stdio, file:PATH, pty or none (default: stdio)");
    command->add_option("--console", o.console,
                        "serial or virtio: what the guest has at that end (default: serial)");
    command
        ->add_option(
            "--disk", o.disks,
            "a raw disk image or block device: FILE[,ro][,id=NAME][,cache=writeback|none|writethrough]"
            "[,queues=N][,overlay[=FILE]][,bps=SIZE][,ops=N][,burst=TIME]; can be given again (default: "
            "none; writeback, a queue for each vCPU up to 4, no limits, 10ms)")
        ->allow_extra_args(false);
    command
        ->add_option(
            "--net", o.nets,
            "a network interface, tap=NAME, tapfd=N, user (by passt) or switch=NAME, with "
            "[,mac=MAC][,mtu=N][,queues=N][,bps=SIZE][,ops=N][,burst=TIME]; user: "
            "[,tcp=[ADDRESS/]PORT[:GUEST-PORT]][,udp=...]; can be given again (default: none; no limits, "
            "10ms)")
        ->allow_extra_args(false);
    command->add_flag("--rng", o.entropy, "a virtio-rng, random bytes of the host's (default: none)");
    command->add_flag("--balloon{0}", o.balloon,
                      "a virtio-balloon: memory that the guest frees goes back to the host; "
                      "--balloon=SIZE[,statistics=TIME]: it asks the guest for so much, and how its memory "
                      "is used (default: none; 0, only as it starts)");
    command
        ->add_option("--vsock", o.vsock,
                     "streams between guest and host over Unix sockets, PATH[,cid=N]: see carrel(1) "
                     "(default: none; cid 3)")
        ->check(refuse_empty, "");
    command->add_option("--transport", o.transport,
                        "pci or mmio: how the guest reaches its virtio devices (default: pci)");
    command->add_flag("--packed-rings", o.packed_rings,
                      "virtio devices offer packed rings, too (default: split ones only)");
    command->add_flag("--hugepages", o.hugepages, "RAM from the host's pool of huge pages (default: off)");
    command->add_option("--name", o.name, "the guest's name in messages and threads (default: guest)")
        ->check(refuse_empty, "");
    command->add_option("--log", o.log, "error, warning, info or debug (default: warning)");
    command->add_flag("-v,--verbose", o.verbose,
                      "say what is booted, with which command line, how it ended, and what its network "
                      "interfaces passed on (default: off)");
    command->add_option("--rebuild-every", o.rebuild_every)->group("");  // test aid, hidden
    command->callback([options, &status] { status = run(*options); });
}

}  // namespace carrel::cli
