// carrel top: a host's guests, and who waits for what.
#include <unistd.h>

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>

#include <chrono>
#include <memory>
#include <string>
#include <thread>

#include "vmm/app/top_json.h"
#include "vmm/app/top_page.h"
#include "vmm/app/top_reading.h"
#include "vmm/app/top_session.h"
#include "vmm/cli/commands.h"
#include "vmm/cli/exit_status.h"
#include "vmm/cli/say.h"
#include "vmm/control/client.h"
#include "vmm/model/machine_config.h"

namespace carrel::cli {
namespace {

struct TopOptions {
    std::string socket;
    std::string interval = "1s";
    bool once = false;
    bool json = false;
};

// A connection for each: the host cuts off who says nothing for 30 s, and the next may be an hour away.
Result<app::TopReading> read(const std::string& path) {
    DirectOpener opener;
    TRY_ASSIGN(control::Client client, control::Client::connect(opener, path));
    const auto get = [&client](const std::string& target) {
        control::Request request;
        request.method = "GET";
        request.target = target;
        return client.call(request);
    };
    return app::take_reading(get, SystemClock().now());
}

Result<app::TopSource> source_of(const TopOptions& options) {
    std::string path = options.socket;
    if (path.empty()) {
        TRY_ASSIGN(path, control::default_socket());
    }
    return app::TopSource([path] { return read(path); });
}

// Two readings, and what was between them.
Result<std::string> once(const app::TopSource& source, Nanoseconds interval, bool json) {
    TRY_ASSIGN(const app::TopReading before, source());
    std::this_thread::sleep_for(std::chrono::nanoseconds(interval));
    TRY_ASSIGN(const app::TopReading after, source());
    const app::TopSnapshot top = app::between(before, after);
    if (json) return app::to_json(top);
    constexpr size_t kColumns = 120, kHead = 8;
    std::string text;
    for (const std::string& line : app::top_page(top, {kColumns, kHead + top.guests.size(), 0}))
        text += line + "\n";
    return text;
}

Result<void> show(const TopOptions& options) {
    constexpr Nanoseconds kLeast = 100 * kMillisecond, kMost = 3600 * kSecond;
    TRY_ASSIGN(const Nanoseconds interval, parse_duration(options.interval, "--interval"));
    if (interval < kLeast || interval > kMost)
        return usage_error("--interval: it is not between 100ms and 1h", "leave it out for 1s");
    const bool terminal = ::isatty(STDIN_FILENO) == 1 && ::isatty(STDOUT_FILENO) == 1;
    if (options.json && !options.once) return usage_error("--json: it is for one page", "write --once, too");
    if (!options.once && !terminal) return usage_error("top: this is no terminal to draw on", "write --once");
    TRY_ASSIGN(const app::TopSource source, source_of(options));
    if (options.once) {
        TRY_ASSIGN(const std::string page, once(source, interval, options.json));
        return print_result(page) ? Result<void>() : host_error("not all could be written");
    }
    TRY_ASSIGN(const auto session, app::TopSession::open(source, interval, STDIN_FILENO, STDOUT_FILENO));
    return session->run();
}

int watch(const TopOptions& options) {
    const auto shown = show(options);  // the terminal is as it was by now
    if (shown.ok()) return kPoweredOff;
    say(shown.error().sentence());
    return exit_status(shown.error());
}

}  // namespace

void add_top(CLI::App& app, int& status) {
    auto* const command =
        app.add_subcommand("top", "Show a host's guests, who has what, and who waits for what");
    const auto options = std::make_shared<TopOptions>();
    TopOptions& o = *options;
    command->add_option("--socket", o.socket,
                        "the host's (default: $XDG_RUNTIME_DIR/carrel.sock, root's /run/carrel.sock)");
    command->add_option("--interval", o.interval, "between two pages (default: 1s)");
    command->add_flag("--once", o.once, "print one page, of one interval, and end (default: off)");
    command->add_flag("--json", o.json, "the same for programs (default: text)");
    command->callback([options, &status] { status = watch(*options); });
}

}  // namespace carrel::cli
