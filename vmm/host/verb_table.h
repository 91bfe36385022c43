// Which verb makes sense in which state, and if not, why: the one place that decides it.
#pragma once

#include <array>

#include "vmm/base/result.h"
#include "vmm/host/guest_state.h"

namespace carrel {

// Why a verb is refused: both empty where it isn't.
struct Refusal {
    const char* why = nullptr;     // "it is paused already"
    const char* advice = nullptr;  // what to do instead
    constexpr bool allowed() const { return why == nullptr; }
};

namespace verb_table_detail {

inline constexpr Refusal kYes{};
inline constexpr Refusal kNone{"there is no such guest", "see carrel ctl list"};
inline constexpr Refusal kThere{"there is one of that name already", "give it another name"};
inline constexpr Refusal kLoads{"it is being loaded", "try again in a second"};
inline constexpr Refusal kNotBegun{"it hasn't been started", "start it first"};
inline constexpr Refusal kNeverRan{"it doesn't run", "what isn't wanted can be deleted"};
inline constexpr Refusal kRuns{"it runs", "stop or kill it first"};
inline constexpr Refusal kRunsAlready{"it runs already", "there is nothing to do"};
inline constexpr Refusal kNotPaused{"it isn't paused", "there is nothing to do"};
inline constexpr Refusal kPauses{"it is being paused", "try again in a second"};
inline constexpr Refusal kPausedAlready{"it is paused already", "resume lets it go on"};
inline constexpr Refusal kIsPaused{"it is paused", "resume it, or kill it first"};
inline constexpr Refusal kDeaf{"it is paused and wouldn't notice its power button",
                               "resume it first, or kill it"};
inline constexpr Refusal kHeldDeaf{"it is held and wouldn't notice its power button",
                                   "give it what it waits for, or kill it"};
inline constexpr Refusal kIsHeld{"it is held for want of a resource", "give it what it waits for (set)"};
inline constexpr Refusal kHeldRuns{"it is held, not ended", "kill it first"};
inline constexpr Refusal kGoes{"it is on its way out", "wait until it has ended, or kill it"};
inline constexpr Refusal kGone{"it has ended", "start lets it run once more"};

}  // namespace verb_table_detail

// clang-format off
inline constexpr auto kVerbTable = [] {
    using namespace verb_table_detail;
    return std::array<std::array<Refusal, kVerbs>, kGuestStates>{{
        //            create  start           pause           resume       stop       kill       delete     set     console show
        /* absent   */ {kYes,   kNone,        kNone,          kNone,       kNone,     kNone,     kNone,     kNone,  kNone,  kNone},
        /* loading  */ {kThere, kLoads,       kLoads,         kLoads,      kLoads,    kLoads,    kLoads,    kLoads, kYes,   kYes},
        /* created  */ {kThere, kYes,         kNotBegun,      kNotBegun,   kNeverRan, kNeverRan, kYes,      kYes,   kYes,   kYes},
        /* running  */ {kThere, kRunsAlready, kYes,           kNotPaused,  kYes,      kYes,      kRuns,     kYes,   kYes,   kYes},
        /* pausing  */ {kThere, kPauses,      kPauses,        kPauses,     kPauses,   kYes,      kPauses,   kYes,   kYes,   kYes},
        /* paused   */ {kThere, kIsPaused,    kPausedAlready, kYes,        kDeaf,     kYes,      kIsPaused, kYes,   kYes,   kYes},
        /* held     */ {kThere, kIsHeld,      kIsHeld,        kIsHeld,     kHeldDeaf, kYes,      kHeldRuns, kYes,   kYes,   kYes},
        /* stopping */ {kThere, kGoes,        kGoes,          kGoes,       kGoes,     kYes,      kGoes,     kYes,   kYes,   kYes},
        /* ended    */ {kThere, kYes,         kGone,          kGone,       kGone,     kGone,     kYes,      kYes,   kYes,   kYes},
    }};
}();
// clang-format on

constexpr const Refusal& refusal(GuestState state, Verb verb) {
    return kVerbTable[static_cast<unsigned>(state)][static_cast<unsigned>(verb)];
}

// The same as a sentence: "cannot pause web: it has ended; start lets it run once more".
Result<void> may(Verb verb, const std::string& guest, GuestState state);

}  // namespace carrel
