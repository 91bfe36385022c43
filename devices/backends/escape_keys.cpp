#include "devices/backends/escape_keys.h"

#include <utility>

namespace carrel {

EscapeKeys::Step EscapeKeys::take(std::byte typed) {
    if (!std::exchange(escaped_, false)) {
        escaped_ = typed == kEscape;
        return escaped_ ? Step{} : Step{.send = {typed}, .count = 1};
    }
    if (typed == std::byte{'x'}) return Step{.action = Action::kEnd};
    if (typed == std::byte{'c'}) return Step{.action = Action::kHelp};
    if (typed == kEscape) return Step{.send = {kEscape}, .count = 1};
    return Step{.send = {kEscape, typed}, .count = 2};
}

}  // namespace carrel
