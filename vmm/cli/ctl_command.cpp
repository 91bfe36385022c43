// carrel ctl: a word to a host, and its answer.
#include <fmt/format.h>
#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <memory>

#include "vmm/cli/attached_console.h"
#include "vmm/cli/commands.h"
#include "vmm/cli/exit_status.h"
#include "vmm/cli/say.h"
#include "vmm/config/change.h"
#include "vmm/control/client.h"
#include "vmm/control/tables.h"

namespace carrel::cli {
namespace {

using control::Client;
using control::Request;

struct CtlOptions {
    std::string socket;
    std::string name;
    std::string file;
    std::string policy;
    std::vector<std::string> words;
    bool json = false;
    bool once = false;
    bool realtime = false;
};

Request request(const char* method, std::string target, std::string body = {}) {
    Request r;
    r.method = method;
    r.target = std::move(target);
    r.body = std::move(body);
    return r;
}

// A target holds no space and no '/': such a name is nobody's.
Result<std::string> path_of(const std::string& name, const char* part = "") {
    TRY(check_name(name));
    return "/guests/" + name + part;
}

Result<Client> connect(const CtlOptions& options) {
    DirectOpener opener;
    std::string path = options.socket;
    if (path.empty()) {
        TRY_ASSIGN(path, control::default_socket());
    }
    return Client::connect(opener, path);
}

Result<void> print(bool right) {
    return right ? Result<void>{} : Result<void>(host_error("not all could be printed"));
}

// Asks, and prints the answer as JSON or as `table` has it; null: nothing.
Result<void> ask(const CtlOptions& options, const Request& wanted, std::string (*table)(const std::string&)) {
    TRY_ASSIGN(Client client, connect(options));
    TRY_ASSIGN(const std::string answer, client.call(wanted));
    if (options.json) return print(print_result(answer));
    return table == nullptr ? Result<void>{} : print(print_result(table(answer)));
}

Result<void> show(const CtlOptions& o) {
    if (o.name == "host") return ask(o, request("GET", "/host"), control::host_table);
    TRY_ASSIGN(const std::string path, path_of(o.name));
    return ask(o, request("GET", path), control::guest_text);
}

Result<std::string> read_file(const std::string& path) {
    DirectOpener opener;
    Fd fd;
    if (path != "-") {
        auto opened = opener.open(path, O_RDONLY);
        if (!opened.ok()) return usage_error(opened.error().what, "name a file that exists");
        fd = std::move(*opened);
    }
    std::string text;
    std::array<char, 4096> buffer;
    constexpr size_t kMost = size_t{1} << 20;
    for (;;) {
        const ssize_t count = ::read(path == "-" ? STDIN_FILENO : fd.get(), buffer.data(), buffer.size());
        if (count < 0) return usage_error("cannot read " + path, "name a file of JSON");
        if (count == 0) return text;
        text.append(buffer.data(), static_cast<size_t>(count));
        if (text.size() > kMost) return usage_error(path + " is larger than 1M", "describe one guest");
    }
}

Result<void> create(const CtlOptions& o) {
    TRY_ASSIGN(const std::string text, read_file(o.file));
    return ask(o, request("POST", "/guests", text), nullptr);
}

Result<void> change(const CtlOptions& o) {
    std::vector<std::string> patches;
    for (const std::string& word : o.words) {
        const size_t at = word.find('=');
        if (at == word.npos)
            return usage_error("'" + word + "' is no KEY=VALUE", "write such as cpu-cap=25%");
        TRY_ASSIGN(std::string patch, config::patch_of(word.substr(0, at), word.substr(at + 1)));
        patches.push_back(std::move(patch));
    }
    TRY_ASSIGN(const std::string body, control::merged(patches));
    TRY_ASSIGN(const std::string path, path_of(o.name));
    return ask(o, request("PATCH", path, body), nullptr);
}

Result<void> events(const CtlOptions& o) {
    TRY_ASSIGN(Client client, connect(o));
    return client.stream(request("GET", "/events"), [&o](std::string_view line) {
        return print_result(o.json ? std::string(line) + "\n" : control::event_text(line));
    });
}

Result<void> console(const CtlOptions& o) {
    TRY_ASSIGN(const std::string path, path_of(o.name, "/console"));
    TRY_ASSIGN(Client client, connect(o));
    if (o.once) {
        TRY_ASSIGN(const std::string said, client.call(request("GET", path)));
        return print(print_result(said));
    }
    Request wanted = request("GET", path);
    wanted.upgrade = control::kConsoleProtocol;
    std::string first;
    TRY(client.upgrade(wanted, first));
    return attach_console(client.fd(), first);
}

CLI::App* add(CLI::App& ctl, const std::shared_ptr<CtlOptions>& options, int& status, const char* name,
              const char* help, std::function<Result<void>(const CtlOptions&)> action) {
    auto* const verb = ctl.add_subcommand(name, help);
    verb->callback([options, &status, action = std::move(action)] {
        const auto done = action(*options);
        if (!done.ok()) say(done.error().sentence());
        status = done.ok() ? kPoweredOff : exit_status(done.error());
    });
    return verb;
}

void add_verbs(CLI::App& ctl, const std::shared_ptr<CtlOptions>& o, int& status) {
    const std::array<std::array<const char*, 2>, 4> verbs = {{
        {"start", "Start a guest, or start it once more"},
        {"pause", "Stop a guest's vCPUs and its clocks"},
        {"stop", "Press a guest's power button; end it where that doesn't within 10 s"},
        {"kill", "End a guest"},
    }};
    for (const auto& [name, help] : verbs) {
        add(ctl, o, status, name, help,
            [name = name](const CtlOptions& options) -> Result<void> {
                TRY_ASSIGN(const std::string path, path_of(options.name, (std::string("/") + name).c_str()));
                return ask(options, request("POST", path), nullptr);
            })
            ->add_option("NAME", o->name, "the guest")
            ->required();
    }
    auto* const resume = add(
        ctl, o, status, "resume", "Let a paused guest go on", [](const CtlOptions& options) -> Result<void> {
            TRY_ASSIGN(const std::string path,
                       path_of(options.name, options.realtime ? "/resume-realtime" : "/resume"));
            return ask(options, request("POST", path), nullptr);
        });
    resume->add_option("NAME", o->name, "the guest")->required();
    resume->add_flag(
        "--realtime", o->realtime,
        "its clocks step to where they were without the pause (default: they go on from where they stood)");
    add(ctl, o, status, "delete", "Forget a guest that doesn't run, and free all of it",
        [](const CtlOptions& options) -> Result<void> {
            TRY_ASSIGN(const std::string path, path_of(options.name));
            return ask(options, request("DELETE", path), nullptr);
        })
        ->add_option("NAME", o->name, "the guest")
        ->required();
}

void add_looks(CLI::App& ctl, const std::shared_ptr<CtlOptions>& o, int& status) {
    add(ctl, o, status, "list", "All guests", [](const CtlOptions& options) {
        return ask(options, request("GET", "/guests"), control::guests_table);
    });
    add(ctl, o, status, "show", "One guest, or what the host has to give", show)
        ->add_option("NAME", o->name, "the guest, or host")
        ->required();
    add(ctl, o, status, "stats", "Where a guest's time went, and its figures",
        [](const CtlOptions& options) -> Result<void> {
            TRY_ASSIGN(const std::string path, path_of(options.name, "/stats"));
            return ask(options, request("GET", path), control::stats_text);
        })
        ->add_option("NAME", o->name, "the guest")
        ->required();
    add(ctl, o, status, "events", "A line for each change of a guest, until the host ends", events);
    auto* const attach = add(ctl, o, status, "console",
                             "A guest's console, from its last 64 KiB on (Ctrl-A d: leave)", console);
    attach->add_option("NAME", o->name, "the guest")->required();
    attach->add_flag("--once", o->once, "print what it has said, and leave (default: off)");
}

}  // namespace

void add_ctl(CLI::App& app, int& status) {
    auto* const ctl = app.add_subcommand("ctl", "Ask a host, or have it do something");
    const auto o = std::make_shared<CtlOptions>();
    ctl->require_subcommand(1);
    ctl->fallthrough();
    ctl->add_option("--socket", o->socket,
                    "the host's (default: $XDG_RUNTIME_DIR/carrel.sock, for root without that "
                    "/run/carrel.sock)");
    ctl->add_flag("--json", o->json, "answers as the host gives them (default: tables)");
    add_looks(*ctl, o, status);
    add(*ctl, o, status, "create", "Make a guest, ready to start", create)
        ->add_option("FILE", o->file, "its description in JSON (carrel schema), or - for standard input")
        ->required();
    add_verbs(*ctl, o, status);
    auto* const set = add(*ctl, o, status, "set", "Change what may change while a guest runs", change);
    set->add_option("NAME", o->name, "the guest")->required();
    set->add_option("KEY=VALUE", o->words, "such as cpu-cap=25%, disk[0].bps=10M, balloon.size=64M")
        ->required();
    add(*ctl, o, status, "policy", "How CPU time is shared out from now on",
        [](const CtlOptions& options) {
            return ask(options, request("PUT", "/host/policy", control::policy_body(options.policy)),
                       nullptr);
        })
        ->add_option("NAME", o->policy, "weighted-fair, round-robin, priority, fcfs or sjf")
        ->required();
    for (CLI::App* const verb : ctl->get_subcommands({})) verb->fallthrough();
}

}  // namespace carrel::cli
