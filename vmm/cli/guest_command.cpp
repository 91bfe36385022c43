// carrel guest: the process of one guest of `carrel host --isolate`, which begins it. Not for people.
#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <CLI/Validators.hpp>

#include <sys/prctl.h>

#include <memory>

#include "vmm/cli/commands.h"
#include "vmm/cli/exit_status.h"
#include "vmm/cli/say.h"
#include "vmm/isolate/guest_process.h"

namespace carrel::cli {
namespace {

struct GuestOptions {
    std::string name;
    std::string log = "warning";
    uint32_t vcpus = 1;
};

Result<void> guest(const GuestOptions& options) {
    TRY_ASSIGN(const LogLevel level, parse_log_level(options.log));
    ::prctl(PR_SET_NAME, "carrel");  // it was begun as /proc/self/exe
    return isolate::GuestProcess(level, options.vcpus).run();
}

}  // namespace

void add_guest(CLI::App& app, int& status) {
    auto* const command =
        app.add_subcommand("guest", "The process of one guest; carrel host --isolate begins it");
    const auto options = std::make_shared<GuestOptions>();
    command->group("");  // no help names it
    command->add_option("--name", options->name, "whose process it is, for who looks at a list of processes");
    command->add_option("--vcpus", options->vcpus, "how many the guest has")
        ->check(CLI::Range(1u, isolate::CommonMemory::kMostVcpus));
    command->add_option("--log", options->log, "error, warning, info or debug");
    command->callback([options, &status] {
        const auto ended = guest(*options);
        if (!ended.ok()) say(ended.error().sentence());
        status = ended.ok() ? kPoweredOff : exit_status(ended.error());
    });
}

}  // namespace carrel::cli
