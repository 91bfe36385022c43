#include "vmm/host/verb_table.h"

#include <map>
#include <string>

#include "tests/catch.h"

using namespace carrel;

namespace {

// What is allowed, state by state; every other cell has to be refused with a reason and an advice.
const std::map<GuestState, std::string> kAllowed = {
    {GuestState::kAbsent, "create "},
    {GuestState::kLoading, "console show "},
    {GuestState::kCreated, "start delete set console show "},
    {GuestState::kRunning, "pause stop kill set console show "},
    {GuestState::kPausing, "kill set console show "},
    {GuestState::kPaused, "resume kill set console show "},
    {GuestState::kHeld, "kill set console show "},
    {GuestState::kStopping, "kill set console show "},
    {GuestState::kEnded, "start delete set console show "},
};

}  // namespace

TEST_CASE("verbs: every cell of the table is what is written here") {
    REQUIRE(kAllowed.size() == kGuestStates);
    for (const auto& [state, wanted] : kAllowed) {
        std::string allowed;
        for (unsigned i = 0; i < kVerbs; ++i) {
            const auto verb = static_cast<Verb>(i);
            if (refusal(state, verb).allowed()) allowed += std::string(verb_name(verb)) + " ";
        }
        CHECK(allowed == wanted);
    }
}

TEST_CASE("verbs: every refusal says why and what to do instead") {
    for (unsigned s = 0; s < kGuestStates; ++s) {
        for (unsigned v = 0; v < kVerbs; ++v) {
            const auto state = static_cast<GuestState>(s);
            const auto verb = static_cast<Verb>(v);
            const Refusal& no = refusal(state, verb);
            const auto said = may(verb, "web", state);
            CHECK(said.ok() == no.allowed());
            if (no.allowed()) continue;
            REQUIRE(no.why != nullptr);
            REQUIRE(no.advice != nullptr);
            const std::string sentence = said.error().sentence();
            CHECK(sentence.starts_with(std::string("cannot ") + verb_name(verb) + " web: "));
            CHECK(sentence.find(no.why) != std::string::npos);
            CHECK(sentence.find(no.advice) != std::string::npos);
        }
    }
}

TEST_CASE("verbs: names are all there and all different") {
    std::map<std::string, int> seen;
    for (unsigned s = 0; s < kGuestStates; ++s) ++seen[state_name(static_cast<GuestState>(s))];
    CHECK(seen.size() == kGuestStates);
    seen.clear();
    for (unsigned v = 0; v < kVerbs; ++v) ++seen[verb_name(static_cast<Verb>(v))];
    CHECK(seen.size() == kVerbs);
}
