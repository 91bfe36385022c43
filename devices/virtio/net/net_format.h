// What a network interface and its driver say to each other. VIRTIO 1.3, sections 5.1.2 to 5.1.6.
#pragma once

#include <cstdint>

#include "devices/backends/ethernet.h"
#include "devices/backends/net_backend.h"
#include "devices/backends/net_features.h"
#include "devices/virtio/features.h"
#include "vmm/model/net_config.h"

namespace carrel::virtio {

// 5.1.3, besides those in net_features.h
inline constexpr uint64_t kNetCtrlGuestOffloads = feature(2);
inline constexpr uint64_t kNetMtu = feature(3);
inline constexpr uint64_t kNetMac = feature(5);
inline constexpr uint64_t kNetMergeable = feature(15);  // VIRTIO_NET_F_MRG_RXBUF
inline constexpr uint64_t kNetStatus = feature(16);
inline constexpr uint64_t kNetCtrl = feature(17);  // VIRTIO_NET_F_CTRL_VQ
inline constexpr uint64_t kNetCtrlRx = feature(18);
inline constexpr uint64_t kNetCtrlRxExtra = feature(20);
inline constexpr uint64_t kNetMultiqueue = feature(22);
inline constexpr uint64_t kNetCtrlMac = feature(23);

// 5.1.4
struct NetConfigSpace {
    MacAddress mac;
    uint16_t status;
    uint16_t max_virtqueue_pairs;
    uint16_t mtu;
};
static_assert(sizeof(NetConfigSpace) == 12);
inline constexpr uint16_t kNetLinkUp = 1;

// 5.1.6: flags and gso_type of NetHeader.
enum NetHeaderFlag : uint8_t { kNetNeedsCsum = 1, kNetDataValid = 2 };
enum NetSegmentation : uint8_t { kGsoNone = 0, kGsoTcp4 = 1, kGsoTcp6 = 4, kGsoUdp = 5, kGsoEcn = 0x80 };

// 5.1.6.5: a command is its class, its number and its data; the answer is one byte.
struct NetCommand {
    uint8_t command_class;
    uint8_t command;
};
enum NetAck : uint8_t { kNetOk = 0, kNetError = 1 };
enum NetCommandClass : uint8_t { kNetRx = 0, kNetMacTable = 1, kNetPairs = 4, kNetOffloads = 5 };
// 5.1.6.5.1, kNetRx: each with one byte, on or off. From kNetAllUnicast on with VIRTIO_NET_F_CTRL_RX_EXTRA.
enum NetRxCommand : uint8_t {
    kNetPromiscuous = 0,
    kNetAllMulticast = 1,
    kNetAllUnicast = 2,
    kNetNoMulticast = 3,
    kNetNoUnicast = 4,
    kNetNoBroadcast = 5,
    kNetRxCommands
};
enum NetMacCommand : uint8_t { kNetTableSet = 0, kNetAddressSet = 1 };  // 5.1.6.5.2
enum NetPairsCommand : uint8_t { kNetPairsSet = 0 };                    // 5.1.6.5.5
enum NetOffloadsCommand : uint8_t { kNetOffloadsSet = 0 };              // 5.1.6.5.6

}  // namespace carrel::virtio
