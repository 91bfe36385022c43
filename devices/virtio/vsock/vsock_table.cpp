// VsockHub's table of connections, and who of them has something due.
#include <algorithm>
#include <utility>

#include "devices/virtio/vsock/vsock_hub.h"

namespace carrel::virtio {
namespace {

// Ports of connections from the host begin here, above those that a person gives a service.
constexpr uint32_t kFirstHostPort = uint32_t{1} << 30, kHostPorts = uint32_t{1} << 30;

}  // namespace

VsockConnection* VsockHub::find(uint64_t id) {
    const auto found = connections_.find(id);
    return found == connections_.end() ? nullptr : &found->second;
}

VsockConnection* VsockHub::find(Ports ports) {
    const auto found = by_ports_.find(ports);
    return found == by_ports_.end() ? nullptr : find(found->second);
}

void VsockHub::name(VsockConnection& one, Ports ports) {
    one.host_port = ports.first;
    one.guest_port = ports.second;
    by_ports_.emplace(ports, one.id);
}

VsockConnection& VsockHub::add() {
    const uint64_t id = next_id_++;
    VsockConnection& one = connections_[id];
    one.id = id;
    return one;
}

// There are far more than connections.
uint32_t VsockHub::free_port(uint32_t guest_port) {
    for (;;) {
        const uint32_t port = kFirstHostPort + next_port_;
        next_port_ = (next_port_ + 1) % kHostPorts;
        if (find(Ports{port, guest_port}) == nullptr) return port;
    }
}

// Asks for credit once where it is all that is missing.
void VsockHub::list(VsockConnection& one) {
    if (one.readable && one.wants_data() && one.credit() == 0 && !std::exchange(one.asked, true))
        one.question_due = true;
    if (one.listed || !one.due()) return;
    one.listed = true;
    due_.push_back(one.id);
}

void VsockHub::unlist(VsockConnection& one) {
    if (std::exchange(one.listed, false)) due_.erase(std::find(due_.begin(), due_.end(), one.id));
}

void VsockHub::unname(const VsockConnection& one) {
    const auto named = by_ports_.find(Ports{one.host_port, one.guest_port});
    if (named != by_ports_.end() && named->second == one.id) by_ports_.erase(named);
}

void VsockHub::drop(VsockConnection& one) {
    const uint64_t id = one.id;
    unname(one);
    unlist(one);
    connections_.erase(id);  // closes the socket, and so takes it out of epoll
    listen_again();
}

void VsockHub::break_off(VsockConnection& one) {
    const bool known = one.state != VsockConnection::State::kGreeting &&
                       one.state != VsockConnection::State::kOrphan && !one.request_due;
    if (known) reset_ports(one.host_port, one.guest_port);
    drop(one);
}

}  // namespace carrel::virtio
