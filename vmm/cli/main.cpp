// The command line: words in, one typed configuration out, an exit status back.
#include <fmt/core.h>
#include <malloc.h>
#include <CLI/CLI.hpp>

#include <algorithm>
#include <string_view>

#include "devices/backends/standard_streams.h"
#include "vmm/cli/commands.h"
#include "vmm/cli/exit_status.h"
#include "vmm/cli/say.h"

namespace {

constexpr const char* kFooter = R"(
carrel run               the embedded guest, at a prompt at once
carrel run vmlinuz       a stock kernel on this terminal (Ctrl-A c: keys, Ctrl-A x: end)
carrel host fleet.json   several guests in one process; carrel ctl list, show, start, stop …
carrel top               who has what of them, and who waits for what
carrel doctor            whether this host can do it, and how fast
carrel simulate FILE     who gets which CPU when, in virtual time

Exit status of run: 0 powered off, 32 reset, 33 triple fault, 34 kernel panic, 35 wrong use,
36 timed out, 37 host or KVM failed, 38 ended by the user, 39 out of memory quota. See carrel(1).)";

// "carrel run" where that was chosen, else "carrel".
std::string command_of(const CLI::App& app) {
    const auto chosen = app.get_subcommands();
    return chosen.empty() ? "carrel" : "carrel " + chosen.front()->get_name();
}

std::string help_of(const CLI::App& app) {
    const auto chosen = app.get_subcommands();
    return chosen.empty() ? app.help() : chosen.front()->help("carrel");
}

struct Command {
    std::string_view name;
    void (*add)(CLI::App& app, int& status);
};

constexpr Command kCommands[] = {
    {"run", carrel::cli::add_run},           {"host", carrel::cli::add_host},
    {"ctl", carrel::cli::add_ctl},           {"top", carrel::cli::add_top},
    {"simulate", carrel::cli::add_simulate}, {"schema", carrel::cli::add_schema},
    {"doctor", carrel::cli::add_doctor},     {"version", carrel::cli::add_version},
};
// What one of these begins by itself; nothing names it to people.
constexpr Command kGuest = {"guest", carrel::cli::add_guest};

// "run, host and version"
std::string command_names() {
    std::string names;
    for (const Command& command : kCommands) {
        if (!names.empty()) names += &command == std::end(kCommands) - 1 ? " and " : ", ";
        names += command.name;
    }
    return names;
}

std::string no_command(const CLI::App& app) {
    const auto extras = app.remaining();
    if (extras.empty()) return fmt::format("no command; there are {} (see carrel --help)", command_names());
    return fmt::format("'{}' is no command of carrel's; there are {} (see carrel --help)", extras.front(),
                       command_names());
}

// The one that is named, or all: the others' options would be some hundred resident KiB while a guest runs.
void add_commands(CLI::App& app, std::string_view named, int& status) {
    if (named == kGuest.name) return kGuest.add(app, status);
    const auto* const one =
        std::ranges::find_if(kCommands, [named](const Command& command) { return command.name == named; });
    if (one != std::end(kCommands)) return one->add(app, status);
    for (const Command& command : kCommands) command.add(app, status);
}

}  // namespace

int main(int argc, char** argv) {
    using namespace carrel::cli;
    install_out_of_memory_handler();
    // One heap for all threads: where much is done nothing is allocated, so that none wait for it, and each
    // heap of a thread's own costs resident pages. glibc also opens a file of /proc before it shrinks one,
    // which only the first thread may.
    mallopt(M_ARENA_MAX, 1);
    carrel::DirectOpener opener;
    if (const auto filled = carrel::fill_standard_streams(opener); !filled.ok()) {
        say(filled.error().sentence());
        return kHostFailed;
    }
    CLI::App app{"carrel: a virtual machine monitor on /dev/kvm, at each guest's own desk", "carrel"};
    app.footer(kFooter);
    app.set_version_flag("--version", version_text());

    int status = kPoweredOff;
    add_commands(app, argc > 1 ? argv[1] : "", status);
    try {
        app.parse(argc, argv);
        if (app.get_subcommands().empty()) {
            say(no_command(app));
            return kWrongUse;
        }
    } catch (const CLI::CallForHelp&) {
        return print_result(help_of(app)) ? kPoweredOff : kHostFailed;
    } catch (const CLI::CallForVersion&) {
        return print_result(version_text() + "\n") ? kPoweredOff : kHostFailed;
    } catch (const CLI::ExtrasError& error) {
        say(app.get_subcommands().empty() ? no_command(app)
                                          : fmt::format("{}; see {} --help", error.what(), command_of(app)));
        return kWrongUse;
    } catch (const CLI::ParseError& error) {
        say(fmt::format("{}; see {} --help", error.what(), command_of(app)));
        return kWrongUse;
    }
    return status;
}
