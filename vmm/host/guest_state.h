// GuestState: where a guest is in its life, and what may be asked of it (verb_table.h says what when).
//
//            create                  start                    pause / resume
//   (absent) ─────► loading ─► created ─────► running ◄─────── (pausing) ────► paused
//                      ▲                      ▲  │ ▲ hold / let go (by us)
//                      │ start, reset         │  │ └────────────────────────► held
//                      └─────────── ended ◄───┘  │ stop
//                                     ▲          ▼
//            delete ◄─── (absent)     └────── stopping
#pragma once

#include <cstdint>

namespace carrel {

enum class GuestState : uint8_t {
    kAbsent,   // there is no guest of that name
    kLoading,  // its machine is being made: on a worker, up to a second
    kCreated,  // ready to start
    kRunning,
    kPausing,   // as paused, but what its devices had begun hasn't ended yet: mostly too short to be seen
    kPaused,    // its vCPUs stand because someone asked; its time stands, too
    kHeld,      // they stand for want of a resource; its time runs on
    kStopping,  // its power button has been pressed, or it has ended and its disks are waited for
    kEnded,     // its machine is gone; how it ended is remembered
};
inline constexpr unsigned kGuestStates = 9;

enum class Verb : uint8_t {
    kCreate,
    kStart,
    kPause,
    kResume,
    kStop,  // the power button; after a time, the end
    kKill,  // the end
    kDelete,
    kSet,
    kConsole,  // see what it says, and type
    kShow,     // and its statistics
};
inline constexpr unsigned kVerbs = 10;

constexpr const char* state_name(GuestState state) {
    constexpr const char* kNames[kGuestStates] = {"absent", "loading", "created",  "running", "pausing",
                                                  "paused", "held",    "stopping", "ended"};
    return kNames[static_cast<unsigned>(state)];
}

constexpr const char* verb_name(Verb verb) {
    constexpr const char* kNames[kVerbs] = {"create", "start",  "pause", "resume",  "stop",
                                            "kill",   "delete", "set",   "console", "show"};
    return kNames[static_cast<unsigned>(verb)];
}

}  // namespace carrel
