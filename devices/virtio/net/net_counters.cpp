#include "devices/virtio/net/net_counters.h"

namespace carrel::virtio {

NetCounters& NetCounters::operator+=(const NetCounters& more) {
    received += more.received;
    received_bytes += more.received_bytes;
    sent += more.sent;
    sent_bytes += more.sent_bytes;
    filtered += more.filtered;
    too_long += more.too_long;
    stale += more.stale;
    receive_errors += more.receive_errors;
    send_errors += more.send_errors;
    refused += more.refused;
    return *this;
}

}  // namespace carrel::virtio
