// A port of the host's that leads to one of a guest's behind `--net user`.
#pragma once

#include <cstdint>
#include <string>

#include "vmm/base/result.h"

namespace carrel {

struct PortForward {
    enum class Protocol { kTcp, kUdp };
    Protocol protocol = Protocol::kTcp;
    std::string address;  // of the host's; empty: all of them
    uint16_t host = 0;
    uint16_t guest = 0;
    bool operator==(const PortForward&) const = default;
};

// [ADDRESS/]PORT[:GUEST-PORT], checked; the error names the key.
Result<PortForward> parse_forward(PortForward::Protocol protocol, const std::string& text);
const char* key_of(PortForward::Protocol protocol);  // "tcp"

}  // namespace carrel
