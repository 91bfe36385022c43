#include "devices/virtio/net/net.h"

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "devices/saved_state.h"
#include "devices/virtio/queue/chain_io.h"

namespace carrel::virtio {
namespace {

constexpr std::string_view kTag = "VNET";
constexpr uint16_t kVersion = 1;
constexpr uint16_t kUsualMtu = 1500;

uint16_t told_mtu(const NetIdentity& identity, const NetBackend& backend) {
    return identity.mtu != 0 ? identity.mtu : backend.mtu();
}

}  // namespace

Net::Net(NetBackend& backend, const NetIdentity& identity, const NetThrottles& throttles)
    : backend_(backend),
      identity_(identity),
      throttles_(throttles),
      most_at_once_(std::min(backend.most_at_once(), kMostFrames)),
      control_(NetLimits{identity.mac, static_cast<uint16_t>(backend.pairs())}) {
    MutexLock lock(mutex_);
    for (unsigned i = 0; i < backend.pairs(); ++i) {
        queue_sizes_.insert(queue_sizes_.end(), 2, kQueueSize);
        pairs_.push_back(std::make_unique<Pair>(static_cast<uint16_t>(2 * i)));
    }
    queue_sizes_.push_back(kControlSize);
    backend_.attach(*this);
    throttles_.receive.attach(*this);
    throttles_.send.attach(*this);
}

Net::~Net() {
    backend_.detach(*this);
    throttles_.receive.detach(*this);
    throttles_.send.detach(*this);
    reset();
}

uint64_t Net::features() const {
    const uint64_t offloads = backend_.features() & (kNetHostOffloads | kNetGuestOffloads);
    return offloads | kNetMac | kNetStatus | kNetMergeable | kNetCtrl | kNetCtrlRx | kNetCtrlRxExtra |
           kNetCtrlMac | ((offloads & kNetGuestOffloads) != 0 ? kNetCtrlGuestOffloads : 0) |
           (told_mtu(identity_, backend_) != 0 ? kNetMtu : 0) | (backend_.pairs() > 1 ? kNetMultiqueue : 0);
}

// 5.1.4
void Net::read_config(uint64_t offset, std::span<std::byte> data) {
    NetConfigSpace config{};
    config.status = backend_.link_up() ? kNetLinkUp : 0;
    config.max_virtqueue_pairs = static_cast<uint16_t>(backend_.pairs());
    config.mtu = told_mtu(identity_, backend_);
    {
        MutexLock lock(mutex_);
        config.mac = control_.mac();
    }
    const auto bytes = std::as_bytes(std::span(&config, 1));
    if (offset >= bytes.size()) return;
    const size_t length = std::min<size_t>(data.size(), bytes.size() - offset);
    std::memcpy(data.data(), bytes.data() + offset, length);
}

// 5.1.2: without VIRTIO_NET_F_MQ a driver knows of one pair.
uint16_t Net::control_queue() const {
    const bool many = (accepted() & kNetMultiqueue) != 0;
    return static_cast<uint16_t>(many ? 2 * pairs_.size() : 2);
}

// The first thing on the backend's thread after DRIVER_OK, which a vCPU says.
void Net::agree() {
    if (!agreed_) control_.start(accepted());
    agreed_ = true;
    backend_.agree((accepted() & kNetHostOffloads) | control_.offloads(), control_.pairs());
}

bool Net::turn(uint16_t queue) {
    if (!agreed_) agree();
    if (queue == control_queue()) return QueuedDevice::turn(queue);
    const unsigned index = queue / 2;
    if (index >= pairs_.size()) return false;
    Pair& pair = *pairs_[index];
    if (queue == pair.receive) {
        pair.given = pair.buffers.chains() + available(pair.receive);
        receive(index);  // the backend comes again while there are frames
        return false;
    }
    const bool more = transmit(index);
    // What answers at once (the host itself, another guest) has answered by now.
    receive(index);
    publish(pair.receive);
    return more;
}

void Net::frames_waiting(unsigned pair) {
    MutexLock lock(mutex_);
    if (!serving() || !agreed_) return backend_.watch(pair, false);
    receive(pair);
    publish(pairs_[pair]->receive);
}

void Net::receive(unsigned index) {
    Pair& pair = *pairs_[index];
    bool wanted = index < control_.pairs();
    for (unsigned left = most_at_once_; wanted && left != 0; --left) {
        wanted = throttles_.receive.open() && provide(pair);
        if (!wanted) break;
        const ssize_t got = backend_.receive(index, pair.buffers.pieces((accepted() & kNetMergeable) != 0));
        if (got == -EAGAIN) break;
        if (got < 0) {
            ++counters_.receive_errors;
            break;
        }
        deliver(pair, static_cast<size_t>(got));
    }
    backend_.watch(index, wanted && serving());
}

// Whether the next frame may be read. Where the buffers are merged, its size is known only then, and one that
// is larger than what is here is lost. So we wait for room for the largest, but only for what the driver will
// give: when it last rang, it had given all that it wanted to, and at the latest when half of that is used up
// it gives more (Linux does then; a driver that waits for frames meanwhile would wait for ever).
bool Net::provide(Pair& pair) {
    ReceiveBuffers& buffers = pair.buffers;
    const bool merge = (accepted() & kNetMergeable) != 0;
    const auto enough = [&]() REQUIRES(mutex_) {
        return merge ? buffers.bytes() >= room_wanted() || !buffers.takes_more() : buffers.chains() != 0;
    };
    while (!enough()) {
        auto chain = take(pair.receive);
        if (!chain) return serving() && buffers.chains() != 0 && 2 * buffers.chains() >= pair.given;
        if (ReceiveBuffers::fits(*chain)) {
            buffers.add(std::move(*chain));
        } else {
            chain->complete(0);
            ++counters_.refused;
        }
    }
    return true;
}

// With the header, 5.1.6.3.1.
uint32_t Net::room_wanted() const {
    const uint32_t mtu = backend_.mtu();
    const bool large = (control_.offloads() & kNetGuestLarge) != 0 || mtu == 0;
    const uint32_t frame = std::max<uint32_t>(mtu, kUsualMtu) + sizeof(EthernetHeader) + kVlanTags;
    return static_cast<uint32_t>(sizeof(NetHeader)) + (large ? kLongestFrame : frame);
}

void Net::deliver(Pair& pair, size_t bytes) {
    ReceiveBuffers& buffers = pair.buffers;
    if (bytes < ReceiveBuffers::kLeastChain) return void(++counters_.receive_errors);
    if (buffers.overflowed(bytes)) return void(++counters_.too_long);
    if (is_stale(buffers.header())) return void(++counters_.stale);
    if (!control_.filter().wants(buffers.ethernet().to, control_.mac())) return void(++counters_.filtered);
    // 5.1.6.4.1; the host tells of checksums that it has seen to be right without being asked.
    if ((control_.offloads() & kNetGuestCsum) == 0) buffers.header().flags = 0;
    buffers.complete(static_cast<uint32_t>(bytes));
    const size_t frame = bytes - sizeof(NetHeader);
    ++counters_.received;
    counters_.received_bytes += frame;
    if (throttles_.receive.limited()) [[unlikely]]
        throttles_.receive.take(frame);
}

// A frame that came before the driver said what it takes (5.1.6.4.1: it must not see what it hasn't
// negotiated).
bool Net::is_stale(const NetHeader& header) const {
    const auto takes = [&](uint64_t feature)
                           REQUIRES(mutex_) { return (control_.offloads() & feature) == feature; };
    if ((header.flags & kNetNeedsCsum) != 0 && !takes(kNetGuestCsum)) return true;
    if ((header.gso_type & kGsoEcn) != 0 && !takes(kNetGuestEcn)) return true;
    switch (header.gso_type & ~kGsoEcn) {
        case kGsoNone: return false;
        case kGsoTcp4: return !takes(kNetGuestTso4);
        case kGsoTcp6: return !takes(kNetGuestTso6);
        default: return !takes(kNetGuestUso4 | kNetGuestUso6);
    }
}

void Net::room(unsigned pair) {
    MutexLock lock(mutex_);
    if (!serving() || !agreed_) return;  // resume() looks into all queues
    if (transmit(pair)) events().again(pairs_[pair]->transmit);
    publish(pairs_[pair]->transmit);
}

// True: there may be more.
bool Net::transmit(unsigned index) {
    const bool more = send_frames(index);
    backend_.flush(index);
    return more;
}

bool Net::send_frames(unsigned index) {
    Pair& pair = *pairs_[index];
    for (unsigned left = kMostFrames; left != 0; --left) {
        if (!throttles_.send.open()) return false;
        auto chain = pair.waiting ? std::exchange(pair.waiting, std::nullopt) : take(pair.transmit);
        if (!chain) return false;
        const size_t pieces = lay_out(*chain);
        if (pieces == 0) {
            chain->complete(0);
            ++counters_.refused;
            continue;
        }
        const ssize_t sent = backend_.send(index, std::span(list_).first(pieces));
        if (sent == -EAGAIN) {
            pair.waiting.emplace(std::move(*chain));
            return false;
        }
        chain->complete(0);
        count_sent(sent);
    }
    return true;
}

void Net::count_sent(ssize_t sent) {
    if (sent < 0) {
        ++counters_.send_errors;
        return;
    }
    const size_t frame = static_cast<size_t>(sent) - sizeof(NetHeader);
    ++counters_.sent;
    counters_.sent_bytes += frame;
    if (throttles_.send.limited()) [[unlikely]]
        throttles_.send.take(frame);
}

NetCounters Net::counters() const {
    MutexLock lock(mutex_);
    return counters_;
}

// Each time another pair first: it may use up all that has come in meanwhile.
void Net::go_on() {
    const size_t pairs = queue_sizes_.size() / 2;  // and the control queue
    first_ = (first_ + 1) % pairs;
    for (size_t i = 0; i < pairs; ++i) {
        const auto pair = static_cast<uint16_t>((first_ + i) % pairs);
        notify(static_cast<uint16_t>(2 * pair));
        notify(static_cast<uint16_t>(2 * pair + 1));
    }
}

// The frame in `list_`, its headers copied: how many pieces. 0: it isn't one.
size_t Net::lay_out(const DescriptorChain& chain) {
    ChainReader data(chain);
    const auto header = data.get<NetHeader>();
    if (!header || data.remaining() > kLongestFrame) return 0;
    const auto ethernet = data.get<EthernetHeader>();
    if (!ethernet) return 0;
    start_ = {*header, *ethernet};
    list_[0] = {&start_.header, sizeof start_.header};
    list_[1] = {&start_.ethernet, sizeof start_.ethernet};
    return 2 + data.gather(data.remaining(), std::span(list_).subspan(2));
}

// The control queue's, 5.1.6.5.
void Net::serve(uint16_t, DescriptorChain chain) {
    if (chain.writable_bytes() == 0) return chain.complete(0);  // nobody could be told
    ChainReader data(chain);
    const uint16_t before = control_.pairs();
    const bool good = control_.run(data);
    if (good) agree();
    // Those that come into use, and those that go out of it.
    const auto [low, high] = std::minmax({before, control_.pairs()});
    for (unsigned i = low; i < high; ++i) {
        receive(i);
        publish(pairs_[i]->receive);
        if (transmit(i)) events().again(pairs_[i]->transmit);  // one that waited for room would for ever
        publish(pairs_[i]->transmit);
    }
    ChainWriter(chain).put(static_cast<uint8_t>(good ? kNetOk : kNetError));
    chain.complete(1);
}

void Net::link_changed() {
    MutexLock lock(mutex_);
    if (active()) events().config_changed();
}

// Nothing here is ever under way: it waits for a frame, or for room.
bool Net::drain(bool abandon, Nanoseconds) {
    for (const auto& pair : pairs_) {
        if (abandon) {
            pair->buffers.abandon();
            if (pair->waiting) std::exchange(pair->waiting, std::nullopt)->abandon();
        } else {
            pair->buffers.put_back();
            if (pair->waiting) std::exchange(pair->waiting, std::nullopt)->put_back();
            publish(pair->receive);
            publish(pair->transmit);
        }
    }
    if (abandon) {
        agreed_ = false;
        control_.reset();
    }
    return true;
}

void Net::save(ByteWriter& writer) const {
    MutexLock lock(mutex_);
    const size_t start = writer.begin_part(kTag, kVersion);
    control_.save(writer);
    writer.end_part(start);
}

Result<void> Net::restore(ByteReader& reader) {
    ByteReader part = reader.part(kTag, kVersion);
    MutexLock lock(mutex_);
    control_.restore(part);
    if (complete(part)) return {};
    control_.reset();
    return damaged_state(name());
}

}  // namespace carrel::virtio
