// The CPU policies by name. What they decide is in vmm/sched/policy_core.h.
#pragma once

#include <array>
#include <cstdint>
#include <string>

#include "vmm/base/result.h"

namespace carrel {

enum class Policy : uint8_t {
    kWeightedFair,  // start-time fair queueing over guests, by weight
    kRoundRobin,
    kPriority,  // strict, with ageing
    kFcfs,      // first come, first served: until it halts
    kSjf,       // shortest (estimated) burst first: until it halts
};

inline constexpr std::array kPolicies = {Policy::kWeightedFair, Policy::kRoundRobin, Policy::kPriority,
                                         Policy::kFcfs, Policy::kSjf};

const char* policy_name(Policy policy);  // "weighted-fair", "round-robin", "priority", "fcfs", "sjf"
Result<Policy> parse_policy(const std::string& text);

}  // namespace carrel
