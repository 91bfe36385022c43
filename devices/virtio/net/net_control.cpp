#include "devices/virtio/net/net_control.h"

namespace carrel::virtio {

void NetControl::reset() {
    accepted_ = 0;
    mac_ = limits_.mac;
    filter_ = ReceiveFilter();
    offloads_said_ = false;
    offloads_ = 0;
    pairs_ = 1;
}

void NetControl::start(uint64_t accepted) {
    accepted_ = accepted;
    const uint64_t most = accepted & kNetGuestOffloads;
    offloads_ = offloads_said_ ? offloads_ & most : most;
    if (!has(kNetMultiqueue)) pairs_ = 1;
}

bool NetControl::run(ChainReader& data) {
    const auto command = data.get<NetCommand>();
    if (!command) return false;
    switch (command->command_class) {
        case kNetRx: return run_rx(command->command, data);
        case kNetMacTable: return run_mac(command->command, data);
        case kNetPairs: return run_pairs(command->command, data);
        case kNetOffloads: return run_offloads(command->command, data);
        default: return false;
    }
}

bool NetControl::run_rx(uint8_t command, ChainReader& data) {
    const auto on = data.get<uint8_t>();
    const uint64_t needed = command < kNetAllUnicast ? kNetCtrlRx : kNetCtrlRxExtra;
    if (!has(needed) || !on || command >= kNetRxCommands) return false;
    filter_.set(static_cast<NetRxCommand>(command), *on != 0);
    return true;
}

bool NetControl::run_mac(uint8_t command, ChainReader& data) {
    if (command == kNetTableSet) return has(kNetCtrlRx) && filter_.set_tables(data);
    if (command != kNetAddressSet || !has(kNetCtrlMac)) return false;
    const auto mac = data.get<MacAddress>();
    if (mac) mac_ = *mac;
    return mac.has_value();
}

// 5.1.6.5.5: from 1 to as many as there are.
bool NetControl::run_pairs(uint8_t command, ChainReader& data) {
    const auto pairs = data.get<uint16_t>();
    if (command != kNetPairsSet || !has(kNetMultiqueue) || !pairs) return false;
    if (*pairs < 1 || *pairs > limits_.pairs) return false;
    pairs_ = *pairs;
    return true;
}

// 5.1.6.5.6: not beyond what was negotiated.
bool NetControl::run_offloads(uint8_t command, ChainReader& data) {
    const auto offloads = data.get<uint64_t>();
    if (command != kNetOffloadsSet || !has(kNetCtrlGuestOffloads) || !offloads) return false;
    if ((*offloads & ~(accepted_ & kNetGuestOffloads)) != 0) return false;
    offloads_ = *offloads;
    offloads_said_ = true;
    return true;
}

void NetControl::save(ByteWriter& writer) const {
    writer.put(mac_);
    writer.put(limits_.mac);
    writer.put(static_cast<uint8_t>(offloads_said_));
    writer.put(offloads_);
    writer.put(pairs_);
    filter_.save(writer);
}

void NetControl::restore(ByteReader& reader) {
    mac_ = reader.get<MacAddress>();
    limits_.mac = reader.get<MacAddress>();
    const auto said = reader.get<uint8_t>();
    offloads_ = reader.get<uint64_t>();
    pairs_ = reader.get<uint16_t>();
    filter_.restore(reader);
    if (said > 1 || (offloads_ & ~kNetGuestOffloads) != 0 || pairs_ < 1 || pairs_ > limits_.pairs)
        reader.fail();
    offloads_said_ = said == 1;
}

}  // namespace carrel::virtio
