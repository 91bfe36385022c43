#include "vmm/model/port_forward.h"

#include <arpa/inet.h>
#include <netinet/in.h>

#include <array>
#include <optional>
#include <string_view>

#include "vmm/model/device_config.h"

namespace carrel {
namespace {

bool is_address(const std::string& text) {
    std::array<unsigned char, sizeof(in6_addr)> binary{};
    return ::inet_pton(AF_INET, text.c_str(), binary.data()) == 1 ||
           ::inet_pton(AF_INET6, text.c_str(), binary.data()) == 1;
}

std::optional<uint16_t> port(std::string_view text) {
    const auto value = whole_number(text);
    if (!value || *value == 0 || *value > 0xffff) return std::nullopt;
    return static_cast<uint16_t>(*value);
}

}  // namespace

const char* key_of(PortForward::Protocol protocol) {
    return protocol == PortForward::Protocol::kTcp ? "tcp" : "udp";
}

Result<PortForward> parse_forward(PortForward::Protocol protocol, const std::string& text) {
    const std::string key = key_of(protocol);
    const auto refused = [&](const std::string& why) {
        return usage_error("--net: " + key + "=" + text + ": " + why,
                           "write [ADDRESS/]PORT[:GUEST-PORT], such as " + key + "=127.0.0.1/8080:80");
    };
    const auto no_port = [](const std::string& word) {
        return "'" + word + "' is no port, a whole number from 1 to 65535";
    };
    const size_t slash = text.find('/');
    const std::string address = slash == std::string::npos ? "" : text.substr(0, slash);
    const std::string ports = slash == std::string::npos ? text : text.substr(slash + 1);
    if (slash != std::string::npos && !is_address(address))
        return refused("'" + address + "' is no IP address");
    const size_t colon = ports.find(':');
    const std::string host = ports.substr(0, colon);
    const std::string guest = colon == std::string::npos ? host : ports.substr(colon + 1);
    const auto from = port(host), to = port(guest);
    if (!from) return refused(no_port(host));
    if (!to) return refused(no_port(guest));
    return PortForward{protocol, address, *from, *to};
}

}  // namespace carrel
