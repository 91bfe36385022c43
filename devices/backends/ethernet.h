// Ethernet frames: how they begin and how long they may be. IEEE 802.3 and 802.1Q.
#pragma once

#include <cstdint>

#include "vmm/model/net_config.h"

namespace carrel {

struct EthernetHeader {
    MacAddress to, from;
    uint16_t type;  // big-endian
};
static_assert(sizeof(EthernetHeader) == 14);

inline constexpr uint32_t kVlanTags = 8;  // two of them
inline constexpr uint32_t kShortestFrame = sizeof(EthernetHeader);
// 65,535 bytes of IP: segmentation is the receiver's.
inline constexpr uint32_t kLongestFrame = 65535 + sizeof(EthernetHeader) + kVlanTags;

}  // namespace carrel
