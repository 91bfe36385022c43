#include "vmm/app/outcome_json.h"

#include <nlohmann/json.hpp>

#include "vmm/model/policy.h"
#include "vmm/sim/outcome_text.h"

namespace carrel::app {
namespace {

using Json = nlohmann::ordered_json;

Json windows(const sim::GuestResult& guest) {
    Json list = Json::array();
    for (size_t i = 0; i < sim::kWindows.size(); ++i) {
        if (!guest.window_errors[i]) continue;
        Json one;
        one["window_ns"] = sim::kWindows[i];
        one["over_points"] = guest.window_errors[i]->over;
        one["under_points"] = guest.window_errors[i]->under;
        list.push_back(std::move(one));
    }
    return list;
}

Json guest_json(const sim::GuestResult& guest, Nanoseconds end) {
    Json json;
    json["name"] = guest.name;
    json["vcpus"] = guest.vcpus;
    json["cap"] = guest.quota.cap ? Json(cpu_share_text(*guest.quota.cap)) : Json(nullptr);
    json["weight"] = guest.quota.weight;
    json["used_ns"] = guest.used;
    json["used_io_ns"] = guest.used_io;
    json["share_percent"] = sim::share_of(guest, end);
    json["bursts_begun"] = guest.begun;
    json["bursts_done"] = guest.done;
    json["bursts_per_second"] =
        end > 0 ? static_cast<double>(guest.done) * kSecond / static_cast<double>(end) : 0;
    json["turnaround_mean_ns"] = sim::mean(guest.turnaround, guest.done);
    json["waiting_mean_ns"] = sim::mean(guest.waiting, guest.begun);
    json["response_mean_ns"] = sim::mean(guest.response, guest.responded);
    json["response_p99_ns"] = guest.response_p99;
    json["longest_wait_ns"] = guest.longest_wait;
    json["worst_windows"] = windows(guest);
    return json;
}

}  // namespace

std::string to_json(const sim::Outcome& outcome) {
    Json json;
    json["format"] = 1;
    json["policy"] = policy_name(outcome.policy);
    json["cpus"] = outcome.cpus;
    json["seed"] = outcome.seed;
    json["end_ns"] = outcome.end;
    json["leases"] = outcome.leases;
    json["jain"] = outcome.jain;
    json["guests"] = Json::array();
    for (const sim::GuestResult& guest : outcome.guests)
        json["guests"].push_back(guest_json(guest, outcome.end));
    return json.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

}  // namespace carrel::app
