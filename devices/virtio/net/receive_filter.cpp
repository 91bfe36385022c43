#include "devices/virtio/net/receive_filter.h"

#include <algorithm>

namespace carrel::virtio {
namespace {
constexpr MacAddress kBroadcast = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff};
}  // namespace

bool ReceiveFilter::wants(const MacAddress& to, const MacAddress& own) const {
    if (is_on(kNetPromiscuous)) return true;
    if (to == kBroadcast) return !is_on(kNetNoBroadcast);
    if (is_group(to)) return !is_on(kNetNoMulticast) && (is_on(kNetAllMulticast) || multicast_.has(to));
    return !is_on(kNetNoUnicast) && (is_on(kNetAllUnicast) || to == own || unicast_.has(to));
}

void ReceiveFilter::set(NetRxCommand mode, bool on) {
    const auto bit = static_cast<uint8_t>(1u << mode);
    modes_ = static_cast<uint8_t>(on ? modes_ | bit : modes_ & ~bit);
}

// 5.1.6.5.2: first the unicast addresses, then the multicast ones, each with its count before it.
bool ReceiveFilter::set_tables(ChainReader& data) {
    Table unicast, multicast;
    if (!unicast.read(data) || !multicast.read(data)) return false;
    unicast_ = unicast;
    multicast_ = multicast;
    return true;
}

bool ReceiveFilter::Table::has(const MacAddress& address) const {
    return overflow || std::ranges::find(addresses.begin(), addresses.begin() + count, address) !=
                           addresses.begin() + count;
}

bool ReceiveFilter::Table::read(ChainReader& data) {
    const auto entries = data.get<uint32_t>();
    if (!entries || *entries > data.remaining() / sizeof(MacAddress)) return false;
    overflow = *entries > kMost;
    count = std::min(*entries, kMost);
    for (uint32_t i = 0; i < count; ++i) addresses[i] = *data.get<MacAddress>();
    data.skip((*entries - count) * static_cast<uint32_t>(sizeof(MacAddress)));
    return true;
}

void ReceiveFilter::Table::save(ByteWriter& writer) const {
    writer.put(static_cast<uint8_t>(overflow));
    writer.put(count);
    for (uint32_t i = 0; i < count; ++i) writer.put(addresses[i]);
}

void ReceiveFilter::Table::restore(ByteReader& reader) {
    const auto more = reader.get<uint8_t>();
    count = reader.get<uint32_t>();
    if (more > 1 || count > kMost || (more == 1 && count != kMost)) {
        reader.fail();
        count = 0;
    }
    overflow = more == 1;
    for (uint32_t i = 0; i < count; ++i) addresses[i] = reader.get<MacAddress>();
}

void ReceiveFilter::save(ByteWriter& writer) const {
    writer.put(modes_);
    unicast_.save(writer);
    multicast_.save(writer);
}

void ReceiveFilter::restore(ByteReader& reader) {
    modes_ = reader.get<uint8_t>();
    if (modes_ >> kNetRxCommands != 0) reader.fail();
    unicast_.restore(reader);
    multicast_.restore(reader);
}

}  // namespace carrel::virtio
