// carrel simulate: the scheduler in virtual time.
#include <fcntl.h>
#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>

#include <cerrno>
#include <memory>
#include <span>

#include "vmm/app/outcome_json.h"
#include "vmm/app/scenario_json.h"
#include "vmm/base/opener.h"
#include "vmm/base/stream_fd.h"
#include "vmm/cli/commands.h"
#include "vmm/cli/exit_status.h"
#include "vmm/cli/say.h"
#include "vmm/model/machine_config.h"
#include "vmm/sim/chart_svg.h"
#include "vmm/sim/outcome_text.h"
#include "vmm/sim/simulator.h"

namespace carrel::cli {
namespace {

struct SimulateOptions {
    std::string scenario;
    std::string gantt;
    std::string until;
    std::optional<uint32_t> seed;
    std::string policy;
    bool json = false;
};

Result<sim::Scenario> scenario_of(Opener& opener, const SimulateOptions& options) {
    TRY_ASSIGN(sim::Scenario scenario, app::load_scenario(opener, options.scenario));
    if (options.seed) scenario.seed = *options.seed;
    if (!options.until.empty()) {
        TRY_ASSIGN(scenario.until, parse_duration(options.until, "--until"));
    }
    if (!options.policy.empty()) {
        TRY_ASSIGN(scenario.scheduler.policy, parse_policy(options.policy));
    }
    return scenario;
}

Result<void> write_file(Opener& opener, const std::string& path, const std::string& text) {
    constexpr Nanoseconds kPatience = 60 * kSecond;  // for a pipe
    auto file = opener.open(path, O_WRONLY | O_CREAT | O_TRUNC, 0666);
    if (!file.ok()) return usage_error(file.error().what, file.error().advice);
    if (!write_patiently(file->get(), std::as_bytes(std::span(text)), kPatience))
        return os_error(errno, "cannot write " + path);
    return {};
}

Result<void> simulate(const SimulateOptions& options) {
    DirectOpener opener;
    TRY_ASSIGN(const sim::Scenario scenario, scenario_of(opener, options));
    const sim::Outcome outcome = sim::Simulator(scenario).run();
    if (!options.gantt.empty()) TRY(write_file(opener, options.gantt, sim::chart_svg(outcome)));
    if (!print_result(options.json ? app::to_json(outcome) : sim::outcome_text(outcome)))
        return host_error("the result couldn't be told");
    return {};
}

int status_of(const SimulateOptions& options) {
    const auto done = simulate(options);
    if (done.ok()) return kPoweredOff;
    say(done.error().sentence());
    return exit_status(done.error());
}

}  // namespace

void add_simulate(CLI::App& app, int& status) {
    auto* const command =
        app.add_subcommand("simulate", "Run the scheduler in virtual time, and say who got what when");
    const auto o = std::make_shared<SimulateOptions>();
    command->add_option("SCENARIO", o->scenario, "JSON: a host, a policy, guests and what they do")
        ->required()
        ->type_name("FILE");
    command->add_flag("--json", o->json, "for programs (default: text)");
    command->add_option("--gantt", o->gantt, "write the timeline there, as SVG (default: nowhere)")
        ->type_name("FILE");
    command->add_option("--policy", o->policy, "instead of the scenario's")->type_name("NAME");
    command->add_option("--seed", o->seed, "instead of the scenario's")->type_name("N");
    command->add_option("--until", o->until, "instead of the scenario's, such as 10s")->type_name("TIME");
    command->footer("Same scenario and seed, same bytes. The keys of a scenario: carrel(1).");
    command->callback([o, &status] { status = status_of(*o); });
}

}  // namespace carrel::cli
