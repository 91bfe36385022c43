#include "vmm/model/policy.h"

namespace carrel {

const char* policy_name(Policy policy) {
    switch (policy) {
        case Policy::kWeightedFair: return "weighted-fair";
        case Policy::kRoundRobin: return "round-robin";
        case Policy::kPriority: return "priority";
        case Policy::kFcfs: return "fcfs";
        case Policy::kSjf: return "sjf";
    }
    return "";
}

Result<Policy> parse_policy(const std::string& text) {
    for (const Policy policy : kPolicies)
        if (text == policy_name(policy)) return policy;
    return usage_error("--policy: '" + text + "' is no policy",
                       "write weighted-fair, round-robin, priority, fcfs or sjf");
}

}  // namespace carrel
