#include "devices/virtio/vsock/vsock.h"

#include <algorithm>
#include <cstring>

#include "devices/saved_state.h"

namespace carrel::virtio {
namespace {

constexpr std::string_view kTag = "VSCK";
constexpr uint16_t kVersion = 1;

}  // namespace

Vsock::Vsock(VsockHub& hub, EventLoop& loop) : hub_(hub) {
    hub_.attach(*this, loop);
}

Vsock::~Vsock() {
    reset();
    hub_.detach(*this);
}

// 5.10.4: guest_cid, 64 bits.
void Vsock::read_config(uint64_t offset, std::span<std::byte> data) {
    const uint64_t cid = hub_.cid();
    const auto bytes = std::as_bytes(std::span(&cid, 1));
    if (offset >= bytes.size()) return;
    std::memcpy(data.data(), bytes.data() + offset, std::min<size_t>(data.size(), bytes.size() - offset));
}

bool Vsock::turn(uint16_t queue) {
    switch (queue) {
        case kReceive: return receive();
        case kTransmit: return transmit();
        default: return tell_reset();
    }
}

void Vsock::serve(uint16_t, DescriptorChain chain) {
    chain.complete(0);
}

bool Vsock::receive() {
    unsigned left = kMostChains;
    for (; left != 0 && hub_.waiting(); --left) {
        auto chain = take(kReceive);
        if (!chain) break;
        const uint32_t written = hub_.to_guest(*chain);
        chain->complete(written);
    }
    if (stalled_ && hub_.room()) {
        stalled_ = false;
        events().again(kTransmit);
    }
    return left == 0;
}

// 5.10.6.4.1: a driver that takes no answers gets nothing more done.
bool Vsock::transmit() {
    unsigned left = kMostChains;
    for (; left != 0; --left) {
        stalled_ = !hub_.room();
        if (stalled_) break;
        auto chain = take(kTransmit);
        if (!chain) break;
        hub_.from_guest(*chain);
        chain->complete(0);
    }
    if (hub_.waiting()) {
        if (receive()) events().again(kReceive);
        publish(kReceive);
    }
    return left == 0;
}

// 5.10.6.7
bool Vsock::tell_reset() {
    if (!reset_due_) return false;
    auto chain = take(kEvents);
    if (!chain) return false;
    const bool told = ChainWriter(*chain).put(kTransportReset);
    chain->complete(told ? sizeof kTransportReset : 0);
    reset_due_ = !told;
    return !told;
}

bool Vsock::drain(bool abandon, Nanoseconds) {
    if (!abandon) return true;
    hub_.forget(*this);
    reset_due_ = stalled_ = false;
    return true;
}

void Vsock::save(ByteWriter& writer) const {
    MutexLock lock(mutex_);
    const size_t start = writer.begin_part(kTag, kVersion);
    writer.put(hub_.identity());
    writer.put(static_cast<uint8_t>(reset_due_));
    writer.end_part(start);
}

Result<void> Vsock::restore(ByteReader& reader) {
    ByteReader part = reader.part(kTag, kVersion);
    const auto identity = part.get<uint64_t>();
    const auto due = part.get<uint8_t>();
    if (!complete(part) || due > 1) return damaged_state(name());
    MutexLock lock(mutex_);
    reset_due_ = due == 1 || identity != hub_.identity();
    return {};
}

}  // namespace carrel::virtio
