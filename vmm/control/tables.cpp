#include "vmm/control/tables.h"

#include <fmt/format.h>

#include <cstdint>
#include <ctime>
#include <nlohmann/json.hpp>

#include "vmm/model/config_text.h"

namespace carrel::control {
namespace {

using Json = nlohmann::ordered_json;

Json parsed(std::string_view text) {
    return Json::parse(text, nullptr, false);
}

// What stands at `key`, as a person reads it; "" where nothing does.
std::string word(const Json& json, const char* key) {
    if (!json.is_object() || !json.contains(key)) return {};
    const Json& value = json[key];
    return value.is_string() ? value.get<std::string>() : value.dump();
}

uint64_t number(const Json& json, const char* key) {
    return json.is_object() && json.contains(key) && json[key].is_number() ? json[key].get<uint64_t>() : 0;
}

int64_t nanoseconds(const Json& json, const char* key) {
    return json.is_object() && json.contains(key) && json[key].is_number() ? json[key].get<int64_t>() : 0;
}

// What stands at `key`; an empty object where nothing does.
Json part(const Json& json, const char* key) {
    return json.is_object() && json.contains(key) ? json[key] : Json::object();
}

Json list(const Json& json, const char* key) {
    Json found = part(json, key);
    return found.is_array() ? found : Json::array();
}

std::string share_row(const Json& json, const char* key) {
    if (!json.contains(key)) return {};
    const auto text = [&](const char* what) {
        return cpu_share_text(static_cast<CpuShare>(number(json[key], what)));
    };
    return fmt::format("{:<10}{:>14}{:>14}{:>14}\n", key, text("total"), text("promised"), text("free"));
}

// `text` writes what is counted there. Without a total nobody has limited it.
template <class Text>
std::string row(const Json& json, const char* key, Text text) {
    if (!json.contains(key)) return {};
    const Json& row = json[key];
    const auto limited = [&](const char* what) {
        return number(row, "total") != 0 ? text(number(row, what)) : std::string("unlimited");
    };
    return fmt::format("{:<10}{:>14}{:>14}{:>14}\n", key, limited("total"), text(number(row, "promised")),
                       limited("free"));
}

std::string size_row(const Json& json, const char* key) {
    return row(json, key, [](uint64_t bytes) { return size_text(bytes); });
}

std::string rate_row(const Json& json, const char* key) {
    return row(json, key, [](uint64_t bytes) { return size_text(bytes) + "/s"; });
}

std::string operations_row(const Json& json, const char* key) {
    return row(json, key, [](uint64_t operations) { return fmt::format("{}/s", operations); });
}

// "50% used, 49% waited for"
std::string load_words(const Json& load) {
    const auto text = [&](const char* what) {
        return fmt::format("{:.0f}%", static_cast<double>(number(load, what)) * 100 / kWholeCpu);
    };
    return text("run") + " used, " + text("waited") + " waited for";
}

std::string move_words(const Json& move) {
    const std::string after =
        part(move, "after").is_object() ? "; then " + load_words(part(move, "after")) : std::string();
    return fmt::format("from CPU {} to {}: {}{}", word(move, "from"), word(move, "to"),
                       load_words(part(move, "before")), after);
}

std::string placement_table(const Json& host) {
    const Json placement = part(host, "placement");
    if (placement.empty()) return {};
    std::string text =
        fmt::format("placement {}, {} moves so far\n", word(placement, "how"), number(placement, "moves"));
    for (const Json& cpu : list(placement, "cpus"))
        text += fmt::format("  CPU {:<4} {:>4} guests, {}\n", number(cpu, "cpu"), number(cpu, "guests"),
                            load_words(part(cpu, "load")));
    if (const Json last = part(placement, "last"); !last.empty())
        text += fmt::format("  last {}, {}\n", word(last, "guest"), move_words(last));
    return text;
}

std::string seconds(int64_t nanoseconds) {
    return fmt::format("{:.3f}", static_cast<double>(nanoseconds) / 1e9);
}

}  // namespace

std::string guests_table(const std::string& json) {
    const Json all = parsed(json);
    std::string text =
        fmt::format("{:<20} {:<9} {:>4} {:>8}  {}\n", "NAME", "STATE", "CPUS", "MEMORY", "WHY");
    for (const Json& guest : list(all, "guests"))
        text += fmt::format("{:<20} {:<9} {:>4} {:>8}  {}\n", word(guest, "name"), word(guest, "state"),
                            word(guest, "cpus"), size_text(number(guest, "memory")), word(guest, "why"));
    return text;
}

std::string guest_text(const std::string& json) {
    const Json guest = parsed(json);
    std::string text = fmt::format("{}: {}", word(guest, "name"), word(guest, "state"));
    if (const std::string why = word(guest, "why"); !why.empty()) text += " (" + why + ")";
    text += "\n";
    if (!guest.is_object() || !guest.contains("config")) return text;
    for (const auto& [key, value] : guest["config"].items())
        if (key != "name") text += fmt::format("  {:<16} {}\n", key, word(guest["config"], key.c_str()));
    return text;
}

std::string host_table(const std::string& json) {
    const Json host = parsed(json);
    std::string text = fmt::format("{} guests", number(host, "guests"));
    if (const std::string policy = word(host, "policy"); !policy.empty()) text += ", policy " + policy;
    text += fmt::format("\n{:<10}{:>14}{:>14}{:>14}\n", "", "R_total", "sum of R_i", "R_free");
    if (!host.is_object()) return text;
    return text + share_row(host, "cpu") + size_row(host, "memory") + rate_row(host, "disk") +
           operations_row(host, "disk-ops") + rate_row(host, "net") + operations_row(host, "net-ops") +
           placement_table(host);
}

std::string stats_text(const std::string& json) {
    const Json stats = parsed(json);
    std::string text = fmt::format("{}: up {} s, {} exits to userspace\n", word(stats, "name"),
                                   seconds(nanoseconds(stats, "up")), number(part(stats, "exits"), "all"));
    text += fmt::format("{:<6}{:>8}{:>11}{:>11}{:>11}{:>11}{:>11}{:>11}{:>11}{:>11}\n", "vCPU", "thread",
                        "wall s", "run", "quota", "host CPU", "memory", "halted", "paused", "residual");
    unsigned id = 0;
    for (const Json& vcpu : list(stats, "vcpus")) {
        const Json times = vcpu.is_object() && vcpu.contains("times") ? vcpu["times"] : Json::object();
        text += fmt::format("{:<6}{:>8}", id++, word(vcpu, "thread"));
        for (const char* const term :
             {"wall", "run", "quota", "host-cpu", "memory", "halted", "paused", "residual"})
            text += fmt::format("{:>11}", times.contains(term) ? seconds(nanoseconds(times, term)) : "-");
        text += "\n";
    }
    for (const Json& net : list(stats, "nets"))
        text += fmt::format("{}: {} frames in, {} out\n", word(net, "device"), word(net, "received"),
                            word(net, "sent"));
    if (const Json placed = part(stats, "placement"); !placed.empty()) {
        text += fmt::format("on CPU {}, moved {} times", word(placed, "cpus"), number(placed, "moves"));
        if (const Json last = part(placed, "last"); !last.empty()) text += "; last " + move_words(last);
        text += "\n";
    }
    return text;
}

std::string event_text(std::string_view json) {
    const Json event = parsed(json);
    const auto when = static_cast<time_t>(number(event, "time") / 1'000'000'000);
    tm parts{};
    ::localtime_r(&when, &parts);
    const std::string detail = word(event, "detail");
    return fmt::format("{:02}:{:02}:{:02} {} {}{}{}\n", parts.tm_hour, parts.tm_min, parts.tm_sec,
                       word(event, "guest"), word(event, "event"), detail.empty() ? "" : ": ", detail);
}

Result<std::string> merged(const std::vector<std::string>& patches) {
    Json all = Json::object();
    for (const std::string& patch : patches) {
        const Json one = parsed(patch);
        for (const auto& [key, value] : one.items()) {
            if (all.contains(key)) return usage_error(key + ": said twice", "say it once");
            all[key] = value;
        }
    }
    return all.dump();
}

std::string policy_body(const std::string& name) {
    return Json{{"policy", name}}.dump(-1, ' ', false, Json::error_handler_t::replace);
}

}  // namespace carrel::control
