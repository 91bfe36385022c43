// EventQueue: what happens next in virtual time.
#pragma once

#include <cstdint>
#include <queue>
#include <vector>

#include "vmm/base/clock.h"

namespace carrel::sim {

struct Event {
    // Of what happens at the same time, the first of these goes first: who comes in that moment queues before
    // the one whose slice ends then.
    enum class Kind : uint8_t { kBlocked, kWoke, kExpired };
    Nanoseconds time;
    Kind kind;
    uint32_t vcpu;
    uint32_t lease;  // which of the vCPU's; of an event that a recall has made void, it is an earlier one
    uint64_t number;
};

class EventQueue {
  public:
    void add(Nanoseconds time, Event::Kind kind, uint32_t vcpu, uint32_t lease) {
        events_.push({time, kind, vcpu, lease, count_++});
    }
    bool empty() const { return events_.empty(); }
    Nanoseconds time() const { return events_.top().time; }
    Event take() {
        const Event event = events_.top();
        events_.pop();
        return event;
    }

  private:
    struct Later {
        bool operator()(const Event& a, const Event& b) const {
            if (a.time != b.time) return a.time > b.time;
            if (a.kind != b.kind) return a.kind > b.kind;
            return a.number > b.number;
        }
    };
    std::priority_queue<Event, std::vector<Event>, Later> events_;
    uint64_t count_ = 0;
};

}  // namespace carrel::sim
