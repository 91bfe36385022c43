#include "vmm/app/top_json.h"

#include <nlohmann/json.hpp>

namespace carrel::app {
namespace {

using Json = nlohmann::ordered_json;

template <class Number>
Json number(const std::optional<Number>& value) {
    return value ? Json(*value) : Json(nullptr);
}

Json resource(const TopResource& of) {
    return Json{{"total", number(of.total)},
                {"promised", number(of.promised)},
                {"free", number(of.free())},
                {"used", number(of.used)}};
}

Json guest(const TopSnapshot::Guest& of) {
    return Json{{"name", of.what.name},
                {"state", of.what.state},
                {"vcpus", of.what.vcpus},
                {"cap", number(of.what.cap)},
                {"weight", number(of.what.weight)},
                {"reserve", number(of.what.reserve)},
                {"used", number(of.used)},
                {"waiting_quota", number(of.waiting_quota)},
                {"waiting_cpu", number(of.waiting_cpu)},
                {"steal", number(of.steal)},
                {"resident", number(of.what.resident)},
                {"quota", number(of.what.quota)},
                {"swapped", number(of.what.swapped)},
                {"disk", number(of.disk)},
                {"net", number(of.net)}};
}

Json load(const TopLoad& of) {
    return Json{{"run", of.run}, {"waited", of.waited}};
}

Json placement(const TopPlacement& of) {
    Json json{{"how", of.how},
              {"moves", of.moves},
              {"fullest", {{"cpu", of.fullest}, {"guests", of.guests}, {"load", load(of.load)}}}};
    if (of.last)
        json["last"] = {{"guest", of.last->guest},
                        {"from", of.last->from},
                        {"to", of.last->to},
                        {"before", load(of.last->before)},
                        {"after", of.last->after ? load(*of.last->after) : Json(nullptr)}};
    return json;
}

}  // namespace

std::string to_json(const TopSnapshot& top) {
    Json json;
    json["format"] = 1;
    json["interval_ns"] = top.interval;
    json["policy"] = top.policy;
    json["host"] = Json{{"cpu", resource(top.cpu)},
                        {"memory", resource(top.memory)},
                        {"disk", resource(top.disk)},
                        {"net", resource(top.net)}};
    if (top.placement) json["placement"] = placement(*top.placement);
    json["guests"] = Json::array();
    for (const TopSnapshot::Guest& one : top.guests) json["guests"].push_back(guest(one));
    // Names from elsewhere may be no UTF-8: replaced, never thrown.
    return json.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

}  // namespace carrel::app
