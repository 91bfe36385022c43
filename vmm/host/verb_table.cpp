#include "vmm/host/verb_table.h"

#include <fmt/format.h>

namespace carrel {

Result<void> may(Verb verb, const std::string& guest, GuestState state) {
    const Refusal& no = refusal(state, verb);
    if (no.allowed()) return {};
    return usage_error(fmt::format("cannot {} {}: {}", verb_name(verb), guest, no.why), no.advice);
}

}  // namespace carrel
