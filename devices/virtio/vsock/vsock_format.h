// What a vsock driver and its device say to each other. VIRTIO 1.3, section 5.10.
#pragma once

#include <cstdint>

#include "devices/virtio/features.h"

namespace carrel::virtio {

inline constexpr uint64_t kVsockStream = feature(0);  // 5.10.3

inline constexpr uint64_t kHostCid = 2;  // 5.10.4.1: always the host's

// 5.10.6, the header of each packet.
struct [[gnu::packed]] VsockHeader {
    uint64_t src_cid;
    uint64_t dst_cid;
    uint32_t src_port;
    uint32_t dst_port;
    uint32_t len;  // of the data behind it
    uint16_t type;
    uint16_t op;
    uint32_t flags;
    uint32_t buf_alloc;
    uint32_t fwd_cnt;
};
static_assert(sizeof(VsockHeader) == 44);

inline constexpr uint16_t kVsockTypeStream = 1;

enum VsockOp : uint16_t {
    kVsockRequest = 1,
    kVsockResponse = 2,
    kVsockReset = 3,
    kVsockShutdown = 4,
    kVsockData = 5,  // RW
    kVsockCreditUpdate = 6,
    kVsockCreditRequest = 7,
};

// 5.10.6.5, flags of a shutdown: what its sender will do no more.
inline constexpr uint32_t kNoReceive = 1, kNoSend = 2, kNeither = kNoReceive | kNoSend;

// 5.10.6.7: an event. The only one: all connections are gone, and the address may be another.
inline constexpr uint32_t kTransportReset = 0;

}  // namespace carrel::virtio
