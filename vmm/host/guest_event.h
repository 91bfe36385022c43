// GuestEvent: what has just changed about a guest.
#pragma once

#include <cstdint>
#include <string>

#include "vmm/base/clock.h"
#include "vmm/host/guest_state.h"

namespace carrel {

struct GuestEvent {
    enum class Kind : uint8_t {
        kLoading,  // begins to exist, or to be loaded once more
        kCreated,
        kStarted,
        kPausing,  // only where that takes longer
        kPaused,
        kResumed,  // or couldn't be paused
        kHeld,
        kReleased,  // from a hold
        kStopping,
        kRestarted,  // by itself: a reset under on-reboot restart
        kEnded,
        kChanged,  // by set
        kDeleted,
        kMoved,  // to other host CPUs
    };
    uint64_t number = 0;   // in the host, from 1, none is left out
    Nanoseconds time = 0;  // since 1970
    std::string guest;
    Kind kind = Kind::kLoading;
    GuestState state = GuestState::kAbsent;  // from now on
    std::string detail;                      // a person's words: why; may be empty
};

constexpr const char* event_name(GuestEvent::Kind kind) {
    constexpr const char* kNames[] = {"loading", "created", "started",  "pausing",  "paused",
                                      "resumed", "held",    "released", "stopping", "restarted",
                                      "ended",   "changed", "deleted",  "moved"};
    return kNames[static_cast<unsigned>(kind)];
}

// On the io thread: only notes and wakes, never waits, and calls no verb.
class EventListener {
  public:
    virtual ~EventListener() = default;
    virtual void on_event(const GuestEvent& event) = 0;
};

}  // namespace carrel
