#include "vmm/model/net_config.h"

#include <sys/random.h>

#include <algorithm>
#include <cerrno>
#include <string_view>

#include "vmm/model/device_config.h"

namespace carrel {
namespace {

constexpr const char* kForm =
    "write tap=NAME, tapfd=N, user or switch=NAME, then [,mac=MAC][,mtu=N][,queues=N][,bps=SIZE][,ops=N]"
    "[,burst=TIME]; user also takes [,tcp=PORT:GUEST-PORT][,udp=…]";
constexpr size_t kLongestInterface = 15;  // IFNAMSIZ, with its end
// VIRTIO 1.3, 5.1.4.1: an IPv4 router's least, and all that the field holds.
constexpr unsigned kLeastMtu = 68, kMostMtu = 65535;
constexpr uint8_t kLocal = 2;  // of a MAC's first byte: given by whoever runs the network (IEEE 802, 8.2.2)

Result<uint16_t> number_between(const std::string& text, const char* key, unsigned least, unsigned most) {
    const auto value = whole_number(text);
    if (value && *value >= least && *value <= most) return static_cast<uint16_t>(*value);
    return usage_error("--net: " + std::string(key) + "=" + text + " is not between " +
                           std::to_string(least) + " and " + std::to_string(most),
                       "write a whole number");
}

// What the kernel takes for an interface's name (dev_valid_name), without the % that makes it choose one.
bool is_interface(const std::string& name) {
    return !name.empty() && name.size() <= kLongestInterface && name != "." && name != ".." &&
           name.find_first_of("/:% \t\n\v\f\r") == std::string::npos;
}

Result<void> parse_kind(NetConfig& net, const std::string& word) {
    using Kind = NetConfig::Kind;
    if (word == "user") {
        net.kind = Kind::kUser;
        return {};
    }
    if (const auto name = value_of(word, "tap")) {
        net.kind = Kind::kTap;
        net.name = *name;
        if (is_interface(*name)) return {};
        return usage_error("--net: '" + *name + "' is not the name of a network interface",
                           "use 1 to 15 characters without '/', ':', '%' and spaces, such as tap0");
    }
    if (const auto text = value_of(word, "tapfd")) {
        constexpr unsigned kFirst = 3, kLast = 1u << 20;  // behind standard error
        const auto fd = whole_number(*text);
        if (!fd || *fd < kFirst || *fd > kLast)
            return usage_error("--net: tapfd=" + *text + " is not the number of an inherited descriptor",
                               "write a whole number from 3");
        net.kind = Kind::kTapFd;
        net.fd = static_cast<int>(*fd);
        return {};
    }
    if (const auto name = value_of(word, "switch")) {
        net.kind = Kind::kSwitch;
        net.name = *name;
        if (!name->empty()) return {};
        return usage_error("--net: switch= names no switch", "give it a name, such as switch=lan");
    }
    return usage_error("--net: '" + word + "' is none of tap=NAME, tapfd=N, user and switch=NAME", kForm);
}

Result<void> add_forward(NetConfig& net, PortForward::Protocol protocol, const std::string& text) {
    TRY_ASSIGN(PortForward forward, parse_forward(protocol, text));
    const std::string word = "--net: " + std::string(key_of(protocol)) + "=" + text;
    if (net.kind != NetConfig::Kind::kUser)
        return usage_error(word + " is for --net user",
                           "leave it out: on another network the guest is reached by its own address");
    const auto taken = [&](const PortForward& other) {
        return other.protocol == protocol && other.host == forward.host && other.address == forward.address;
    };
    if (std::ranges::any_of(net.forwards, taken))
        return usage_error(word + ": this port of the host's is forwarded already",
                           "give each forward one of its own");
    net.forwards.push_back(std::move(forward));
    return {};
}

Result<void> parse_option(NetConfig& net, const std::string& word) {
    TRY_ASSIGN(const bool rate, parse_rate(word, "--net", net.rate));
    if (rate) return {};
    if (const auto mac = value_of(word, "mac")) {
        TRY_ASSIGN(net.mac, parse_mac(*mac));
    } else if (const auto mtu = value_of(word, "mtu")) {
        TRY_ASSIGN(net.mtu, number_between(*mtu, "mtu", kLeastMtu, kMostMtu));
    } else if (const auto tcp = value_of(word, "tcp")) {
        TRY(add_forward(net, PortForward::Protocol::kTcp, *tcp));
    } else if (const auto udp = value_of(word, "udp")) {
        TRY(add_forward(net, PortForward::Protocol::kUdp, *udp));
    } else if (const auto queues = value_of(word, "queues")) {
        TRY_ASSIGN(net.queues, number_between(*queues, "queues", 1, NetConfig::kMostQueues));
    } else {
        return usage_error("--net: '" + word +
                               "' is none of mac=MAC, mtu=N, queues=N, bps=SIZE, ops=N, "
                               "burst=TIME, tcp=PORT and udp=PORT",
                           kForm);
    }
    return {};
}

}  // namespace

Result<MacAddress> parse_mac(const std::string& text) {
    constexpr size_t kLength = 17;
    MacAddress mac{};
    bool good = text.size() == kLength;
    for (size_t i = 0; good && i < mac.size(); ++i) {
        const auto byte = whole_number(std::string_view(text).substr(i * 3, 2), 16);
        good = byte.has_value() && (i == 0 || text[i * 3 - 1] == ':');
        if (good) mac[i] = static_cast<uint8_t>(*byte);
    }
    const bool zero = std::ranges::all_of(mac, [](uint8_t byte) { return byte == 0; });
    if (good && !zero && !is_group(mac)) return mac;
    return usage_error("--net: mac=" + text + " is not the address of one interface",
                       "write six bytes, the first one even, such as 02:00:5e:10:00:01");
}

std::string mac_text(const MacAddress& mac) {
    constexpr std::string_view kDigits = "0123456789abcdef";
    std::string text;
    for (const uint8_t byte : mac) {
        if (!text.empty()) text += ':';
        text += kDigits[byte >> 4];
        text += kDigits[byte & 15];
    }
    return text;
}

Result<MacAddress> random_mac() {
    MacAddress mac{};
    if (::getrandom(mac.data(), mac.size(), 0) != static_cast<ssize_t>(mac.size()))
        return os_error(errno, "cannot get random bytes from the host");
    mac[0] = static_cast<uint8_t>((mac[0] & ~kGroupBit) | kLocal);
    return mac;
}

Result<NetConfig> parse_net(const std::string& text) {
    const std::vector<std::string> words = split_words(text);
    NetConfig net;
    TRY(parse_kind(net, words.front()));
    for (size_t i = 1; i < words.size(); ++i) TRY(parse_option(net, words[i]));
    TRY(check_rate(net.rate, "--net"));
    const bool one = net.kind != NetConfig::Kind::kTap;
    if (one && net.queues > 1)
        return usage_error(
            "--net: " + words.front() + " has one queue pair, not " + std::to_string(net.queues),
            "leave queues= out, or use tap=NAME");
    return net;
}

}  // namespace carrel
