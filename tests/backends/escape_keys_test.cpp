#include "devices/backends/escape_keys.h"

#include <string>
#include <vector>

#include "tests/catch.h"

using namespace carrel;

namespace {
struct Typed {
    std::string sent;
    std::vector<EscapeKeys::Action> actions;
    explicit Typed(const std::string& keys) {
        EscapeKeys machine;
        for (const char key : keys) {
            const auto step = machine.take(static_cast<std::byte>(key));
            for (size_t i = 0; i < step.count; ++i) sent += static_cast<char>(step.send[i]);
            if (step.action != EscapeKeys::Action::kNone) actions.push_back(step.action);
        }
    }
};
}  // namespace

TEST_CASE("what isn't for carrel goes through as it was typed") {
    std::string all;
    for (int c = 0; c < 256; ++c) {
        if (c != 1) all += static_cast<char>(c);
    }
    CHECK(Typed(all).sent == all);
    CHECK(Typed(all).actions.empty());
}

TEST_CASE("Ctrl-A x ends, Ctrl-A c helps, and neither reaches the guest") {
    const Typed typed("ab\x01xc\x01\x63z");
    CHECK(typed.sent == "abcz");
    CHECK(typed.actions == std::vector{EscapeKeys::Action::kEnd, EscapeKeys::Action::kHelp});
}

TEST_CASE("Ctrl-A Ctrl-A sends one; Ctrl-A and anything else sends both") {
    CHECK(Typed("\x01\x01").sent == "\x01");
    CHECK(Typed("\x01\x01x").sent == "\x01x");
    CHECK(Typed("\x01\x01\x01\x01").sent == "\x01\x01");
    CHECK(Typed("\x01X\x01\r").sent == "\x01X\x01\r");
    CHECK(Typed("\x01").sent.empty());  // waits for the second key
}
