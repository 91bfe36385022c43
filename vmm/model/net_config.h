// What a person may say about one network interface: plain data, and how it is written. Nothing here opens a
// file.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "vmm/base/result.h"
#include "vmm/model/port_forward.h"
#include "vmm/model/rate_config.h"

namespace carrel {

using MacAddress = std::array<uint8_t, 6>;

// Of an address's first byte: it is several interfaces' (IEEE 802, 8.2.2).
inline constexpr uint8_t kGroupBit = 1;
constexpr bool is_group(const MacAddress& address) {
    return (address[0] & kGroupBit) != 0;
}

struct NetConfig {
    enum class Kind {
        kTap,     // tap=NAME: an interface of the host's
        kTapFd,   // tapfd=N: one that whoever started us has opened
        kUser,    // user: through passt, which needs no rights
        kSwitch,  // switch=NAME: between guests of this process
    };
    Kind kind = Kind::kTap;
    std::string name;                   // kTap, kSwitch
    int fd = -1;                        // kTapFd
    std::optional<MacAddress> mac;      // none: a random one
    uint16_t mtu = 0;                   // 0: what the backend says
    uint16_t queues = 1;                // pairs of them
    std::vector<PortForward> forwards;  // kUser
    RateConfig rate;                    // of each direction
    bool operator==(const NetConfig&) const = default;

    static constexpr uint16_t kMostQueues = 8;
};

// Checked by itself; the error names the key as `carrel run` spells it.
Result<NetConfig> parse_net(
    const std::string& text);  // KIND[,mac=MAC][,mtu=N][,queues=N][,bps=SIZE][,ops=N][,burst=TIME],
                               // and user[,tcp=[ADDRESS/]PORT[:GUEST-PORT]]…[,udp=…]…
Result<MacAddress> parse_mac(const std::string& text);
std::string mac_text(const MacAddress& mac);  // 02:00:5e:10:00:01
// One for who gave none: random, locally administered (IEEE 802, 8.2.2), nobody's multicast.
Result<MacAddress> random_mac();

}  // namespace carrel
