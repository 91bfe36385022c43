// carrel doctor: can this host do the job?
#include <sys/ioctl.h>
#include <unistd.h>
#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>

#include <algorithm>
#include <cstdlib>
#include <memory>

#include "vmm/app/doctor.h"
#include "vmm/app/doctor_json.h"
#include "vmm/app/doctor_text.h"
#include "vmm/base/opener.h"
#include "vmm/base/spawner.h"
#include "vmm/cli/commands.h"
#include "vmm/cli/exit_status.h"
#include "vmm/cli/say.h"

namespace carrel::cli {
namespace {

constexpr size_t kWidest = 110;  // longer lines are hard to read, however wide the terminal
constexpr size_t kWithoutTerminal = 100;

size_t columns() {
    winsize size{};
    if (::ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_col == 0) return kWithoutTerminal;
    return std::min<size_t>(size.ws_col, kWidest);
}

// https://no-color.org: set and not empty means none.
bool wants_colours() {
    const char* const no_color = std::getenv("NO_COLOR");
    return ::isatty(STDOUT_FILENO) == 1 && (no_color == nullptr || *no_color == '\0');
}

int examine(bool json) {
    DirectOpener opener;
    DirectSpawner spawner;
    const app::DoctorReport report = app::examine(opener, spawner);
    if (!print_result(json ? app::to_json(report) : app::to_text(report, wants_colours(), columns())))
        return kHostFailed;
    return app::exit_status(report.verdict.ability);
}

}  // namespace

void add_doctor(CLI::App& app, int& status) {
    auto* const command =
        app.add_subcommand("doctor", "Say whether this host can run guests, how fast, and what is missing");
    const auto json = std::make_shared<bool>(false);
    command->add_flag("--json", *json, "for programs (default: text)");
    command->footer("Exit status: 0 stock Linux will boot here, 1 small guests only, 37 no usable KVM.");
    command->callback([json, &status] { status = examine(*json); });
}

}  // namespace carrel::cli
