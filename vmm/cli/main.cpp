// The command line: words in, one typed configuration out, an exit status back.
#include <fmt/core.h>
#include <CLI/CLI.hpp>

#include "devices/backends/standard_streams.h"
#include "vmm/cli/commands.h"
#include "vmm/cli/exit_status.h"
#include "vmm/cli/say.h"

namespace {

constexpr const char* kFooter = R"(
carrel run               the embedded guest, at a prompt at once
carrel run vmlinuz       a stock kernel on this terminal (Ctrl-A c: keys, Ctrl-A x: end)
carrel doctor            whether this host can do it, and how fast

Exit status of run: 0 powered off, 32 reset, 33 triple fault, 34 kernel panic, 35 wrong use,
36 timed out, 37 host or KVM failed, 38 ended by the user. See carrel(1).)";

}  // namespace

int main(int argc, char** argv) {
    using namespace carrel::cli;
    install_out_of_memory_handler();
    carrel::DirectOpener opener;
    if (const auto filled = carrel::fill_standard_streams(opener); !filled.ok()) return kHostFailed;
    CLI::App app{"carrel: a virtual machine monitor on /dev/kvm, at each guest's own desk", "carrel"};
    app.require_subcommand(1);
    app.footer(kFooter);
    app.set_version_flag("--version", version_text());

    int status = kPoweredOff;
    add_run(app, status);
    add_doctor(app, status);
    add_version(app, status);
    try {
        app.parse(argc, argv);
    } catch (const CLI::ParseError& error) {
        if (error.get_exit_code() == 0) return app.exit(error);  // --help, --version
        say(fmt::format("{}; see carrel --help", error.what()));
        return kWrongUse;
    }
    return status;
}
