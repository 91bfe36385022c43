// NetControl: what a driver has set through the control queue. VIRTIO 1.3, section 5.1.6.5.
#pragma once

#include "devices/virtio/net/receive_filter.h"

namespace carrel::virtio {

// What is so from the start, and what a driver can't go beyond.
struct NetLimits {
    MacAddress mac{};
    uint16_t pairs = 1;
};

class NetControl {
  public:
    explicit NetControl(const NetLimits& limits) : limits_(limits), mac_(limits.mac) {}

    // As after a reset; the driver has agreed to nothing yet.
    void reset();
    // DRIVER_OK. Of what was restored before, what can't be with these features is not kept.
    void start(uint64_t accepted);

    // One command. False: an error, and nothing has changed.
    bool run(ChainReader& data);

    const MacAddress& mac() const { return mac_; }
    const ReceiveFilter& filter() const { return filter_; }
    uint64_t offloads() const { return offloads_; }  // of the receiving side, among kNetGuestOffloads
    uint16_t pairs() const { return pairs_; }

    void save(ByteWriter& writer) const;
    void restore(ByteReader& reader);

  private:
    bool has(uint64_t features) const { return (accepted_ & features) == features; }
    bool run_rx(uint8_t command, ChainReader& data);
    bool run_mac(uint8_t command, ChainReader& data);
    bool run_pairs(uint8_t command, ChainReader& data);
    bool run_offloads(uint8_t command, ChainReader& data);

    NetLimits limits_;  // the address is restored, too: a driver finds it after its next reset
    uint64_t accepted_ = 0;
    MacAddress mac_;
    ReceiveFilter filter_;
    bool offloads_said_ = false;  // by a command; until then it's what was negotiated
    uint64_t offloads_ = 0;
    uint16_t pairs_ = 1;  // 5.1.5: one, until the driver asks for more
};

}  // namespace carrel::virtio
