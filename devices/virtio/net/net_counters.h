// NetCounters: what became of a network interface's frames, since it was made.
#pragma once

#include <cstdint>

namespace carrel::virtio {

struct NetCounters {
    // Of Ethernet: without the headers before them. In is to the guest.
    uint64_t received = 0, received_bytes = 0;
    uint64_t sent = 0, sent_bytes = 0;
    // In, and not passed on:
    uint64_t filtered = 0;        // not for this guest's addresses
    uint64_t too_long = 0;        // no chain was long enough
    uint64_t stale = 0;           // unfinished, for a driver that takes none such
    uint64_t receive_errors = 0;  // the backend's
    // Out, and lost:
    uint64_t send_errors = 0;  // the backend's
    // Chains of either queue that hold no frame, or have no room for one.
    uint64_t refused = 0;

    NetCounters& operator+=(const NetCounters& more);
};

}  // namespace carrel::virtio
