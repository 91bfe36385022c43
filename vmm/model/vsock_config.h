// What a person may say about the vsock device: plain data, and how it is written. Nothing here opens a
// socket.
#pragma once

#include <cstdint>
#include <string>

#include "vmm/base/result.h"

namespace carrel {

struct VsockConfig {
    // Of the Unix socket, and with _PORT behind it of those that take the guest's connections.
    std::string path;
    uint32_t cid = kDefaultCid;
    bool operator==(const VsockConfig&) const = default;

    static constexpr uint32_t kDefaultCid = 3;  // VIRTIO 1.3, 5.10.4.1: 0 to 2 and the last aren't guests'
    static constexpr uint32_t kLastCid = 0xffff'fffe;
    static constexpr size_t kLongestPath = 96;  // of the 107 that a socket's may have; "_4294967295" follows
};

// Checked by itself; the error names the key as `carrel run` spells it.
Result<VsockConfig> parse_vsock(const std::string& text);  // PATH[,cid=N]

}  // namespace carrel
