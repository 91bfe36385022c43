#include "vmm/app/doctor_json.h"

#include <nlohmann/json.hpp>

namespace carrel::app {
namespace {

using Json = nlohmann::ordered_json;

const char* word(FindingState state) {
    switch (state) {
        case FindingState::kOk: return "ok";
        case FindingState::kInfo: return "info";
        case FindingState::kWarn: return "warn";
        case FindingState::kFail: return "fail";
    }
    return "";
}

const char* word(Ability ability) {
    switch (ability) {
        case Ability::kLinux: return "linux";
        case Ability::kSmallGuests: return "small-guests";
        case Ability::kNone: return "none";
    }
    return "";
}

Json number(const std::optional<double>& value) {
    return value ? Json(*value) : Json(nullptr);
}

Json findings(const DoctorReport& report) {
    Json list = Json::array();
    for (const Finding& f : report.findings) {
        Json one;
        one["id"] = f.id;
        one["state"] = word(f.state);
        one["sentence"] = f.sentence;
        one["advice"] = f.advice;
        list.push_back(std::move(one));
    }
    return list;
}

}  // namespace

std::string to_json(const DoctorReport& report) {
    Json json;
    json["format"] = 1;
    json["verdict"]["ability"] = word(report.verdict.ability);
    json["verdict"]["exit_status"] = exit_status(report.verdict.ability);
    json["verdict"]["sentence"] = report.verdict.sentence;
    json["verdict"]["boot_seconds"] = number(report.verdict.boot_seconds);
    json["measured"]["instructions_per_second"] = number(report.facts.instructions_per_second);
    json["measured"]["first_time_ns"] = number(report.facts.first_time_ns);
    json["measured"]["exit_ns"] = number(report.facts.exit_ns);
    json["measured"]["refused_instructions"] = report.facts.refused_instructions;
    json["findings"] = findings(report);
    json["capabilities"] = Json::object();
    for (const CapabilityValue& c : report.capabilities) json["capabilities"][c.name] = c.value;
    // Names from the system may be no UTF-8: replaced, never thrown.
    return json.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

}  // namespace carrel::app
