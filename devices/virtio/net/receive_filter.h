// ReceiveFilter: which frames a driver wants to see. VIRTIO 1.3, sections 5.1.6.5.1 and 5.1.6.5.2.
//
// All of them, until it says something. A table that is longer than ours is taken for "all of that kind"
// (5.1.6.5.2 allows that: filtering is best effort).
#pragma once

#include <array>
#include <cstdint>

#include "devices/virtio/net/net_format.h"
#include "devices/virtio/queue/chain_io.h"
#include "vmm/base/bytes.h"
#include "vmm/model/net_config.h"

namespace carrel::virtio {

class ReceiveFilter {
  public:
    // `own`: the interface's address.
    bool wants(const MacAddress& to, const MacAddress& own) const;

    // One of the rx commands.
    void set(NetRxCommand mode, bool on);
    // Both tables, as a driver sends them; false, and nothing changed, where they aren't whole.
    bool set_tables(ChainReader& data);

    void save(ByteWriter& writer) const;
    void restore(ByteReader& reader);
    bool operator==(const ReceiveFilter&) const = default;

  private:
    struct Table {
        static constexpr uint32_t kMost = 64;
        std::array<MacAddress, kMost> addresses{};
        uint32_t count = 0;
        bool overflow = false;

        bool has(const MacAddress& address) const;
        bool read(ChainReader& data);
        void save(ByteWriter& writer) const;
        void restore(ByteReader& reader);
        bool operator==(const Table&) const = default;
    };
    bool is_on(NetRxCommand mode) const { return (modes_ >> mode & 1) != 0; }

    uint8_t modes_ = 1u << kNetPromiscuous;
    Table unicast_;
    Table multicast_;
};

}  // namespace carrel::virtio
