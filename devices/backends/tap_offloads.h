// What a tap may hand over unfinished, in VIRTIO's words (net_features.h) and in the kernel's
// (TUNSETOFFLOAD).
#pragma once

#include <linux/if_tun.h>

#include <cstdint>

#include "devices/backends/net_features.h"

namespace carrel {

// TUN_F_USO4 and TUN_F_USO6 of Linux 6.2; both or none.
inline constexpr unsigned kTapUdp = 0x20 | 0x40;
inline constexpr unsigned kTapAll = TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO6 | TUN_F_TSO_ECN | kTapUdp;

constexpr uint64_t tap_features(bool udp_segmentation) {
    constexpr uint64_t kUdp = kNetGuestUso4 | kNetGuestUso6 | kNetHostUso;
    const uint64_t all = kNetGuestOffloads | kNetHostOffloads;
    return udp_segmentation ? all : all & ~kUdp;
}

// Segments have unfinished checksums, so without those there are none.
constexpr unsigned tap_offloads(uint64_t features) {
    const auto has = [features](uint64_t bits) { return (features & bits) == bits; };
    if (!has(kNetGuestCsum)) return 0;
    const bool tcp4 = has(kNetGuestTso4), tcp6 = has(kNetGuestTso6);
    const bool ecn = (tcp4 || tcp6) && has(kNetGuestEcn);
    return TUN_F_CSUM | (tcp4 ? TUN_F_TSO4 : 0u) | (tcp6 ? TUN_F_TSO6 : 0u) | (ecn ? TUN_F_TSO_ECN : 0u) |
           (has(kNetGuestUso4 | kNetGuestUso6) ? kTapUdp : 0u);
}

}  // namespace carrel
