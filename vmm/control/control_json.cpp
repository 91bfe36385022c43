#include "vmm/control/control_json.h"

#include <nlohmann/json.hpp>

#include "vmm/config/machine_json.h"
#include "vmm/host/guest_placement.h"
#include "vmm/model/config_text.h"

namespace carrel::control {
namespace {

using Json = nlohmann::ordered_json;

// A file's name may be any bytes, and a guest says what it likes.
std::string line(const Json& json) {
    return json.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n";
}

Json tree(const GuestInfo& guest) {
    Json json{{"name", guest.name}, {"state", state_name(guest.state)}};
    if (!guest.why.empty()) json["why"] = guest.why;
    if (guest.end) {
        json["end"] = {{"reason", end_name(guest.end->reason)},
                       {"failed", is_failure(guest.end->reason)},
                       {"detail", guest.end->detail}};
    }
    json["cpus"] = guest.config.cpus;
    json["memory"] = guest.config.memory_or_default();
    return json;
}

Json tree(const sched::VcpuTimes& times) {
    return {{"wall", times.wall},         {"run", times.run},       {"quota", times.quota},
            {"host-cpu", times.host_cpu}, {"memory", times.memory}, {"halted", times.halted},
            {"paused", times.paused}};
}

Json tree(const VcpuStats& vcpu) {
    Json json{{"exits", vcpu.exits}};
    if (!vcpu.sample) return json;
    json["thread"] = vcpu.sample->thread;
    json["times"] = tree(vcpu.sample->times);
    json["halts-known"] = vcpu.sample->halts_known;
    if (vcpu.sample->halts_known) json["times"]["residual"] = vcpu.sample->times.residual();
    return json;
}

Json tree(const InterfaceTraffic& net) {
    return {{"device", net.device},
            {"received", net.frames.received},
            {"received-bytes", net.frames.received_bytes},
            {"sent", net.frames.sent},
            {"sent-bytes", net.frames.sent_bytes}};
}

// In bytes, but for what came and went: pages.
Json tree(const SwapReport& swap) {
    Json json{{"size", swap.size},
              {"used", swap.used},
              {"swapped", swap.swapped},
              {"ins", swap.ins},
              {"outs", swap.outs}};
    if (!swap.trouble.empty()) json["trouble"] = swap.trouble;
    return json;
}

Json tree(const sched::MeasuredLoad& load) {
    return {{"run", load.run}, {"waited", load.waited}};
}

Json tree(const GuestPlacement::Move& move) {
    return {{"from", cpu_list_text(move.from)},
            {"to", cpu_list_text(move.to)},
            {"before", tree(move.before)},
            {"after", move.after ? tree(*move.after) : Json(nullptr)}};
}

Json tree(const GuestPlacement& placement) {
    Json json{{"how", to_text(placement.how())}, {"moves", placement.moves()}, {"cpus", Json::array()}};
    for (const auto& [id, cpu] : placement.cpus())
        json["cpus"].push_back({{"cpu", id}, {"guests", cpu.guests}, {"load", tree(cpu.load)}});
    const GuestPlacement::Guest* const guest = placement.guest(placement.last_moved());
    if (guest != nullptr && guest->last) {
        json["last"] = tree(*guest->last);
        json["last"]["guest"] = placement.last_moved();
    }
    return json;
}

Json tree(const GuestPlacement::Guest& guest, const sched::CpuList& cpus) {
    Json json{{"cpus", cpu_list_text(cpus)}, {"moves", guest.moves}, {"load", tree(guest.load)}};
    if (guest.last) json["last"] = tree(*guest.last);
    return json;
}

template <class Number>
Json row(Number total, Number promised) {
    return {{"total", total}, {"promised", promised}, {"free", total - promised}};
}

// A total of 0: nobody has said how much there is, so there is no end to what is free.
Json said_row(uint64_t total, uint64_t promised) {
    Json json{{"total", total}, {"promised", promised}};
    if (total != 0) json["free"] = total - promised;
    return json;
}

}  // namespace

std::string error_json(const Error& error) {
    return line({{"what", error.what}, {"advice", error.advice}});
}

std::string event_json(const GuestEvent& event) {
    Json json{{"number", event.number},
              {"time", event.time},
              {"guest", event.guest},
              {"event", event_name(event.kind)},
              {"state", state_name(event.state)}};
    if (!event.detail.empty()) json["detail"] = event.detail;
    return line(json);
}

std::string guest_json(const GuestInfo& guest) {
    Json json = tree(guest);
    if (const auto config = config::to_json(guest.config); config.ok())
        json["config"] = Json::parse(*config, nullptr, false);
    return line(json);
}

std::string guests_json(const std::vector<GuestInfo>& guests) {
    Json all = Json::array();
    for (const GuestInfo& guest : guests) all.push_back(tree(guest));
    return line({{"guests", std::move(all)}});
}

std::string stats_json(const std::string& name, const GuestStats& stats, const GuestPlacement* placement) {
    Json json{{"name", name}, {"time", stats.time}, {"up", stats.up}, {"restarts", stats.restarts}};
    const MachineStatistics& machine = stats.machine;
    if (stats.io) json["io"] = *stats.io;
    if (machine.memory) json["resident"] = machine.memory->charged;
    if (machine.memory && machine.memory->swap) json["swap"] = tree(*machine.memory->swap);
    json["exits"] = {{"all", machine.exits},
                     {"port", machine.port_exits},
                     {"mmio", machine.mmio_exits},
                     {"interrupted", machine.interrupted},
                     {"other", machine.other_exits}};
    json["vcpus"] = Json::array();
    for (const VcpuStats& vcpu : stats.vcpus) json["vcpus"].push_back(tree(vcpu));
    json["nets"] = Json::array();
    for (const InterfaceTraffic& net : machine.traffic) json["nets"].push_back(tree(net));
    if (machine.balloon)
        json["balloon"] = {{"target", machine.balloon->target},
                           {"held", machine.balloon->held},
                           {"released", machine.balloon->released}};
    if (const auto* const placed = placement != nullptr ? placement->guest(name) : nullptr)
        json["placement"] = tree(*placed, placement->cpus_of(name));
    return line(json);
}

// CPUs in millionths of one, all else in bytes, bytes a second or operations a second.
std::string host_json(const HostAccount& account, std::optional<Policy> policy,
                      const GuestPlacement* placement) {
    const HostResources& total = account.total();
    const HostResources& promised = account.promised();
    Json json{{"guests", account.guests()},
              {"cpu", row(total.cpu, promised.cpu)},
              {"memory", row(static_cast<int64_t>(total.memory), static_cast<int64_t>(promised.memory))},
              {"disk", said_row(total.disk, promised.disk)},
              {"disk-ops", said_row(total.disk_operations, promised.disk_operations)},
              {"net", said_row(total.net, promised.net)},
              {"net-ops", said_row(total.net_operations, promised.net_operations)}};
    if (policy) json["policy"] = policy_name(*policy);
    if (placement != nullptr) json["placement"] = tree(*placement);
    return line(json);
}

Result<Policy> policy_from_json(const std::string& text) {
    const Json json = Json::parse(text, nullptr, false);
    const bool right = json.is_object() && json.contains("policy") && json["policy"].is_string();
    if (!right)
        return usage_error("policy: the body isn't {\"policy\": NAME}",
                           "write such as {\"policy\": \"fcfs\"}");
    return parse_policy(json["policy"].get<std::string>());
}

}  // namespace carrel::control
