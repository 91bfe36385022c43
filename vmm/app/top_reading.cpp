#include "vmm/app/top_reading.h"

#include <nlohmann/json.hpp>

#include "vmm/config/machine_json.h"

namespace carrel::app {
namespace {

using Json = nlohmann::json;

constexpr double kMillionths = 1e6;

const Json* part(const Json& of, const char* key) {
    if (!of.is_object()) return nullptr;
    const auto found = of.find(key);
    return found == of.end() ? nullptr : &*found;
}

std::string text(const Json& of, const char* key) {
    const Json* const value = part(of, key);
    return value != nullptr && value->is_string() ? value->get<std::string>() : std::string();
}

std::optional<double> number(const Json& of, const char* key) {
    const Json* const value = part(of, key);
    return value != nullptr && value->is_number() ? std::optional(value->get<double>()) : std::nullopt;
}

std::optional<uint64_t> count(const Json& of, const char* key) {
    const Json* const value = part(of, key);
    return value != nullptr && value->is_number_unsigned() ? std::optional(value->get<uint64_t>())
                                                           : std::nullopt;
}

std::optional<Nanoseconds> time(const Json& of, const char* key) {
    const auto value = count(of, key);
    constexpr uint64_t kMost = INT64_MAX / 4096;  // a guest's vCPUs together still fit
    return value && *value <= kMost ? std::optional(static_cast<Nanoseconds>(*value)) : std::nullopt;
}

template <class Number>
void add(std::optional<Number>& sum, const std::optional<Number>& more) {
    if (more) sum = sum.value_or(0) + *more;
}

// `unit`: how many of what is told are one of ours.
TopResource resource(const Json& host, const char* key, double unit) {
    const Json* const row = part(host, key);
    if (row == nullptr) return {};
    TopResource resource{number(*row, "total"), number(*row, "promised"), {}};
    if (resource.total == 0) resource.total.reset();  // nobody has said how much there is
    if (resource.total) *resource.total /= unit;
    if (resource.promised) *resource.promised /= unit;
    return resource;
}

TopLoad load(const Json& of, const char* key) {
    const Json* const told = part(of, key);
    if (told == nullptr) return {};
    return {number(*told, "run").value_or(0) / kMillionths,
            number(*told, "waited").value_or(0) / kMillionths};
}

TopPlacement::Move last_move(const Json& told) {
    TopPlacement::Move move{
        text(told, "guest"), text(told, "from"), text(told, "to"), load(told, "before"), {}};
    const Json* const after = part(told, "after");
    if (after != nullptr && after->is_object()) move.after = load(told, "after");
    return move;
}

std::optional<TopPlacement> placement_of(const Json& host) {
    const Json* const told = part(host, "placement");
    if (told == nullptr) return std::nullopt;
    TopPlacement placement;
    placement.how = text(*told, "how");
    placement.moves = count(*told, "moves").value_or(0);
    if (const Json* const last = part(*told, "last")) placement.last = last_move(*last);
    const Json* const cpus = part(*told, "cpus");
    if (cpus == nullptr || !cpus->is_array()) return placement;
    for (const Json& cpu : *cpus) {
        const TopLoad its = load(cpu, "load");
        if (&cpu != &cpus->front() && its.run + its.waited <= placement.load.run + placement.load.waited)
            continue;
        placement.fullest = count(cpu, "cpu").value_or(0);
        placement.guests = count(cpu, "guests").value_or(0);
        placement.load = its;
    }
    return placement;
}

void read_config(TopGuest& guest, const Json& told) {
    const Json* const config = part(told, "config");
    if (config == nullptr) return;
    const auto machine =
        config::machine_from_json(config->dump(-1, ' ', false, Json::error_handler_t::replace), "");
    if (!machine.ok()) return;  // of another version
    const CpuQuota& quota = machine->cpu_quota;
    const auto share = [](CpuShare millionths) {
        return static_cast<double>(millionths) / static_cast<double>(kWholeCpu);
    };
    if (quota.cap) guest.cap = share(*quota.cap);
    guest.reserve = share(quota.reserve);
    guest.weight = quota.weight;
    if (machine->memory_quota) guest.quota = machine->memory_quota->bytes;
    guest.vcpus = machine->cpus;
}

void read_stats(TopReading::Guest& guest, const Json& stats) {
    guest.time = static_cast<Nanoseconds>(count(stats, "time").value_or(0));  // since 1970
    guest.what.resident = count(stats, "resident");
    if (const Json* const swap = part(stats, "swap")) guest.what.swapped = count(*swap, "swapped");
    guest.counters.disk_bytes = count(stats, "disk-bytes");
    guest.counters.io = time(stats, "io");
    if (const Json* const vcpus = part(stats, "vcpus"); vcpus != nullptr && vcpus->is_array()) {
        for (const Json& vcpu : *vcpus) {
            const Json* const times = part(vcpu, "times");
            if (times == nullptr) continue;
            add(guest.counters.run, time(*times, "run"));
            add(guest.counters.waiting_quota, time(*times, "quota"));
            add(guest.counters.waiting_cpu, time(*times, "host-cpu"));
            // What its own top counts as stolen.
            add(guest.counters.steal, time(*times, "quota"));
            add(guest.counters.steal, time(*times, "host-cpu"));
            add(guest.counters.steal, time(*times, "memory"));
        }
    }
    if (const Json* const nets = part(stats, "nets"); nets != nullptr && nets->is_array()) {
        for (const Json& net : *nets) {
            add(guest.counters.net_bytes, count(net, "received-bytes"));
            add(guest.counters.net_bytes, count(net, "sent-bytes"));
        }
    }
}

Result<Json> ask(const TopGet& get, const std::string& target) {
    TRY_ASSIGN(const std::string body, get(target));
    Json json = Json::parse(body, nullptr, false);
    if (json.is_object()) return json;
    return host_error("what the host says to " + target + " isn't understood",
                      "is it another version of carrel?");
}

// Nothing: it has gone, or tells nothing any more.
std::optional<TopReading::Guest> read_guest(const TopGet& get, const std::string& name) {
    const auto told = ask(get, "/guests/" + name);
    if (!told.ok()) return std::nullopt;
    TopReading::Guest guest;
    guest.what.name = name;
    guest.what.state = text(*told, "state");
    read_config(guest.what, *told);
    if (const auto stats = ask(get, "/guests/" + name + "/stats"); stats.ok()) read_stats(guest, *stats);
    return guest;
}

}  // namespace

Result<TopReading> take_reading(const TopGet& get, Nanoseconds now) {
    TRY_ASSIGN(const Json host, ask(get, "/host"));
    TRY_ASSIGN(const Json list, ask(get, "/guests"));
    TopReading reading{now,
                       text(host, "policy"),
                       resource(host, "cpu", kMillionths),
                       resource(host, "memory", 1),
                       resource(host, "disk", 1),
                       resource(host, "net", 1),
                       {},
                       placement_of(host)};
    const Json* const guests = part(list, "guests");
    if (guests == nullptr || !guests->is_array()) return reading;
    for (const Json& one : *guests) {
        const std::string name = text(one, "name");
        if (!check_name(name).ok()) continue;  // it stands in the path
        if (auto guest = read_guest(get, name)) reading.guests.push_back(std::move(*guest));
    }
    return reading;
}

}  // namespace carrel::app
