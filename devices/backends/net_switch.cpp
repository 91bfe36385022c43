#include "devices/backends/net_switch.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include "devices/backends/ethernet.h"
#include "devices/backends/frame_pieces.h"

namespace carrel {
namespace {

// Copied once: the guest may change it meanwhile.
EthernetHeader header_of(std::span<const iovec> frame) {
    EthernetHeader header{};
    gather(std::as_writable_bytes(std::span(&header, 1)), frame);
    return header;
}

// IEEE 802.1Q, table 8-1: what bridges say to each other ends at the next one.
bool stays_on_the_link(const MacAddress& to) {
    constexpr MacAddress kFirst{0x01, 0x80, 0xc2, 0x00, 0x00, 0x00};
    return std::equal(to.begin(), to.end() - 1, kFirst.begin()) && to.back() < 0x10;
}

}  // namespace

Result<std::shared_ptr<NetSwitch>> NetSwitch::create(EventLoop& loop, std::string name) {
    auto made = std::make_shared<NetSwitch>(loop, std::move(name));
    TRY_ASSIGN(made->waiting_, LoopSignal::create(loop, [raw = made.get()] { raw->tell_ports(); }));
    return made;
}

Result<std::unique_ptr<SwitchPort>> NetSwitch::add_port(std::shared_ptr<NetSwitch> to, const MacAddress& mac,
                                                        uint16_t mtu) {
    NetSwitch& net = *to;
    const MacTable::Port id = net.next_++;
    if (!net.table_.add_port(id, mac))
        return usage_error("--net: mac=" + mac_text(mac) + " is another guest's on switch=" + net.name_,
                           "give each interface an address of its own");
    auto port = std::make_unique<SwitchPort>(std::move(to), id, mtu);
    net.ports_.emplace(id, port.get());
    return port;
}

void NetSwitch::remove(SwitchPort& port) {
    table_.remove_port(port.id_);
    ports_.erase(port.id_);
}

void NetSwitch::forward(SwitchPort& from, std::span<const iovec> frame, size_t length) {
    const EthernetHeader header = header_of(frame);
    const Nanoseconds now = loop_.clock().now();
    if (is_group(header.from) || !table_.learn(from.id_, header.from, now)) {
        ++from.losses_.spoofed;
        return;
    }
    if (stays_on_the_link(header.to)) return;
    if (!is_group(header.to)) {
        if (const auto to = table_.find(header.to, now)) {
            if (*to != from.id_) deliver(*ports_.at(*to), frame, length);
            return;
        }
    }
    for (const auto& [id, port] : ports_) {
        if (id != from.id_) deliver(*port, frame, length);
    }
}

void NetSwitch::deliver(SwitchPort& to, std::span<const iovec> frame, size_t length) {
    const bool news = to.queue_.empty();
    if (!to.queue_.push(frame, length)) {
        ++to.losses_.unread;
        return;
    }
    if (news && to.has_news()) waiting_->raise();  // its guest is told when this one's device is done
}

void NetSwitch::tell_ports() {
    bool more = false;
    for (const auto& [id, port] : ports_) {
        if (port->has_news()) port->listener_->frames_waiting(0);
        more = more || port->has_news();
    }
    if (more) waiting_->raise();
}

SwitchPort::SwitchPort(std::shared_ptr<NetSwitch> to, MacTable::Port id, uint16_t mtu)
    : switch_(std::move(to)), id_(id), mtu_(mtu) {}

SwitchPort::~SwitchPort() {
    switch_->remove(*this);
}

void SwitchPort::attach(NetListener& listener) {
    listener_ = &listener;
    watched_ = false;
}

void SwitchPort::detach(NetListener& listener) {
    if (listener_ != &listener) return;
    listener_ = nullptr;
    watched_ = false;
}

void SwitchPort::watch(unsigned, bool on) {
    const bool before = std::exchange(watched_, on);
    if (!before && has_news()) switch_->waiting_->raise();
}

ssize_t SwitchPort::receive(unsigned, std::span<const iovec> pieces) {
    if (queue_.empty()) return -EAGAIN;
    const ssize_t bytes = scatter(pieces, queue_.front());
    queue_.pop();
    return bytes;
}

ssize_t SwitchPort::send(unsigned, std::span<const iovec> pieces) {
    const std::span<const iovec> frame = pieces.subspan(1);
    const size_t length = bytes_in(frame);
    if (length < kShortestFrame || length > kLongestFrame) return -EMSGSIZE;
    switch_->forward(*this, frame, length);
    return static_cast<ssize_t>(sizeof(NetHeader) + length);
}

Result<std::unique_ptr<SwitchPort>> NetSwitches::add_port(EventLoop& loop, const std::string& name,
                                                          const MacAddress& mac, uint16_t mtu) {
    std::erase_if(switches_, [](const auto& entry) { return entry.second.expired(); });
    std::shared_ptr<NetSwitch> found = switches_[name].lock();
    if (!found) {
        TRY_ASSIGN(found, NetSwitch::create(loop, name));
        switches_[name] = found;
    }
    return NetSwitch::add_port(std::move(found), mac, mtu);
}

}  // namespace carrel
