#include "vmm/app/scenario_json.h"

#include <charconv>
#include <set>

#include "vmm/app/json_fields.h"
#include "vmm/config/config_files.h"
#include "vmm/config/machine_keys.h"
#include "vmm/config/read_keys.h"

namespace carrel::app {
namespace {

using config::Json;
using config::Place;
using sim::Scenario;
using sim::ScenarioGuest;
using sim::Workload;

constexpr const char* kWhere = "carrel(1) lists the keys of a scenario";
constexpr Nanoseconds kLongestRun = 24 * 3600 * kSecond;

struct KindName {
    std::string_view name;
    Workload::Kind kind;
    const char* pause;  // what `Workload::pause` is called; none: it has none
};
constexpr std::array kKinds = {KindName{"hog", Workload::Kind::kHog, nullptr},
                               KindName{"interactive", Workload::Kind::kInteractive, "think"},
                               KindName{"periodic", Workload::Kind::kPeriodic, "period"},
                               KindName{"io", Workload::Kind::kIo, "wait"},
                               KindName{"once", Workload::Kind::kOnce, nullptr},
                               KindName{"trace", Workload::Kind::kTrace, nullptr}};

Result<KindName> kind_called(const std::string& name, const Place& place) {
    std::vector<std::string_view> known;
    for (const KindName& kind : kKinds) {
        if (kind.name == name) return kind;
        known.push_back(kind.name);
    }
    return place.refused("'" + name + "' is no workload" + config::suggestion(name, known),
                         "write hog, interactive, periodic, io, once or trace");
}

// Reads a scenario, and the traces that it names.
class Reader {
  public:
    Reader(Opener& opener, std::string path) : opener_(opener), path_(std::move(path)) {}

    Result<Scenario> read() {
        TRY_ASSIGN(const std::string text, contents(path_));
        const Place place(path_);
        TRY_ASSIGN(const Json tree, config::parse_json(text, place));
        JsonFields fields(tree, place);
        host(fields);
        const Json* const guests = fields.find("guests");
        TRY(fields.finish(kWhere));
        TRY(add_guests(guests, place.key("guests")));
        if (scenario_.chart_from >= scenario_.chart_to)
            return place.refused("chart-from is not before chart-to", "leave both out for the first 100 ms");
        return std::move(scenario_);
    }

  private:
    Result<std::string> contents(const std::string& path) {
        TRY_ASSIGN(auto files, config::read_config_files(opener_, path));
        if (files.size() != 1 || files[0].path != path)
            return usage_error(path + " is a folder", "name the file of one scenario");
        return std::move(files[0].text);
    }

    void host(JsonFields& fields) {
        Scenario& s = scenario_;
        fields.number("cpus", s.scheduler.cpus, 1, Scenario::kMostCpus);
        std::string policy = policy_name(s.scheduler.policy);
        fields.text("policy", policy);
        const auto parsed = parse_policy(policy);
        if (parsed.ok())
            s.scheduler.policy = *parsed;
        else
            fields.refuse(fields.place("policy").refused("'" + policy + "' is none", parsed.error().advice));
        fields.time("until", s.until);
        if (s.until > kLongestRun)
            fields.refuse(fields.place("until").refused("it is more than a day", "write a shorter time"));
        auto seed = static_cast<uint32_t>(s.seed);
        fields.number("seed", seed, 0, UINT32_MAX);
        s.seed = seed;
        fields.time("slice", s.scheduler.slice);
        fields.time("ageing", s.scheduler.ageing);
        fields.time("late-stop", s.reality.late_stop);
        fields.time("halt-notice", s.reality.halt_notice);
        fields.time("switch-cost", s.reality.switch_cost);
        fields.time("chart-from", s.chart_from);
        s.chart_to = s.chart_from + 100 * kMillisecond;
        fields.time("chart-to", s.chart_to);
    }

    Result<void> add_guests(const Json* guests, const Place& place) {
        if (guests == nullptr || !guests->is_array() || guests->empty())
            return place.refused("there are none", "write an array of objects: [{…}, …]");
        for (size_t i = 0; i < guests->size(); ++i) {
            TRY_ASSIGN(ScenarioGuest one, guest((*guests)[i], place.item(i)));
            if (!names_.insert(one.name).second)
                return place.item(i).refused("a guest is called '" + one.name + "' already",
                                             "give each a name of its own");
            vcpus_ += uint64_t{one.count} * one.vcpus;
            if (vcpus_ > Scenario::kMostVcpus)
                return place.item(i).refused("with it there are more than 100,000 vCPUs", "simulate fewer");
            scenario_.guests.push_back(std::move(one));
        }
        return {};
    }

    Result<ScenarioGuest> guest(const Json& tree, const Place& place) {
        ScenarioGuest guest;
        guest.name = fmt::format("guest{}", scenario_.guests.size() + 1);
        JsonFields fields(tree, place);
        fields.text("name", guest.name);
        if (const auto named = check_name(guest.name); !named.ok())
            fields.refuse(place.translated(named.error()));
        fields.number("count", guest.count, 1, Scenario::kMostVcpus);
        fields.number("vcpus", guest.vcpus, 1, Scenario::kMostVcpus);
        fields.refuse(quota(fields, guest.quota, place));
        const Json* const work = fields.find("workload");
        TRY(fields.finish(kWhere));
        if (work != nullptr) {
            TRY_ASSIGN(guest.workload, workload(*work, place.key("workload")));
        }
        return guest;
    }

    // The keys of `run` that are about the quota, with the same names and values.
    Result<void> quota(JsonFields& fields, CpuQuota& quota, const Place& place) {
        MachineConfig config;
        for (const config::MachineKey& key : config::machine_keys()) {
            if (!std::string_view(key.name).starts_with("cpu-")) continue;
            if (const Json* const value = fields.find(key.name))
                TRY(config::read_value(key, *value, config, place.key(key.name)));
        }
        if (const auto checked = check_cpu_quota(config.cpu_quota); !checked.ok())
            return place.translated(checked.error());
        quota = config.cpu_quota;
        return {};
    }

    // "hog", or {"interactive": {"burst": "1ms", "think": "9ms"}}.
    Result<Workload> workload(const Json& tree, const Place& place) {
        if (tree.is_string()) {
            TRY_ASSIGN(const KindName kind, kind_called(tree.get_ref<const std::string&>(), place));
            return details(kind, Json::object(), place);
        }
        if (!tree.is_object() || tree.size() != 1)
            return place.refused(
                "it is not one workload",
                R"(write such as "hog" or {"interactive": {"burst": "1ms", "think": "9ms"}})");
        const auto item = tree.items().begin();
        TRY_ASSIGN(const KindName kind, kind_called(item.key(), place));
        return details(kind, item.value(), place.key(item.key()));
    }

    Result<Workload> details(const KindName& kind, const Json& tree, const Place& place) {
        Workload w;
        w.kind = kind.kind;
        const bool hog = w.kind == Workload::Kind::kHog;
        const bool trace = w.kind == Workload::Kind::kTrace;
        JsonFields fields(tree, place);
        fields.time("arrive", w.arrive);
        if (!hog && !trace) {
            fields.time(w.kind == Workload::Kind::kPeriodic ? "work" : "burst", w.burst);
            fields.percent("jitter", w.jitter);
        }
        if (kind.pause != nullptr) fields.time(kind.pause, w.pause);
        if (w.kind == Workload::Kind::kIo) fields.time("io-cost", w.io_cost);
        std::string file;
        if (trace) fields.text("file", file);
        TRY(fields.finish(kWhere));
        if (trace) {
            TRY_ASSIGN(w.trace, lines_of(file, place));
        } else if (!hog && (w.burst == 0 || (kind.pause != nullptr && w.pause == 0))) {
            return place.refused("a time is missing",
                                 fmt::format("write burst or work{}{}", kind.pause != nullptr ? ", and " : "",
                                             kind.pause != nullptr ? kind.pause : ""));
        }
        return w;
    }

    Result<std::vector<sim::TraceLine>> lines_of(const std::string& file, const Place& place) {
        if (file.empty()) return place.refused("the trace's file is missing", "write file");
        const size_t slash = path_.rfind('/');
        const bool absolute = file.starts_with('/') || slash == path_.npos;
        TRY_ASSIGN(const std::string text, contents(absolute ? file : path_.substr(0, slash + 1) + file));
        return parse_trace(text, file);
    }

    static Result<std::vector<sim::TraceLine>> parse_trace(const std::string& text, const std::string& file);

    Opener& opener_;
    std::string path_;
    Scenario scenario_;
    std::set<std::string> names_;
    uint64_t vcpus_ = 0;
};

// A line a burst: when it comes and how much CPU time it takes, with units. '#' begins a remark.
Result<std::vector<sim::TraceLine>> Reader::parse_trace(const std::string& text, const std::string& file) {
    std::vector<sim::TraceLine> lines;
    size_t number = 0;
    for (size_t begin = 0; begin < text.size(); ++number) {
        const size_t end = std::min(text.find('\n', begin), text.size());
        std::string line = text.substr(begin, end - begin);
        begin = end + 1;
        line.erase(std::min(line.find('#'), line.size()));
        const size_t first = line.find_first_not_of(" \t\r");
        if (first == line.npos) continue;
        const size_t gap = line.find_first_of(" \t", first);
        const size_t second = line.find_first_not_of(" \t", std::min(gap, line.size()));
        const Place place(fmt::format("{}, line {}", file, number + 1));
        if (second == line.npos)
            return place.refused("it has one word", "write when a burst comes and its length: 10ms 2ms");
        const std::string arrival = line.substr(first, gap - first);
        const std::string burst = line.substr(second, line.find_last_not_of(" \t\r") - second + 1);
        sim::TraceLine one{0, 0};
        if (arrival.find_first_not_of('0') != arrival.npos && arrival != "0ms") {
            TRY_ASSIGN(one.arrival, parse_duration(arrival, place.text().c_str()));
        }
        TRY_ASSIGN(one.burst, parse_duration(burst, place.text().c_str()));
        if (!lines.empty() && one.arrival < lines.back().arrival)
            return place.refused("it comes before the line above", "sort them by time");
        lines.push_back(one);
    }
    return lines;
}

}  // namespace

Result<Scenario> load_scenario(Opener& opener, const std::string& path) {
    return Reader(opener, path).read();
}

}  // namespace carrel::app
