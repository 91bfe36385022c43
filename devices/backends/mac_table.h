// MacTable: behind which port of a switch an address is (IEEE 802.1Q, 8.8: the filtering database).
//
// A guest can claim any number of addresses, so what it may take is bounded by port: of more than
// kLearnedPerPort, its own oldest goes, never another's. Nobody can push the others' addresses out, which
// would have their frames sent to everybody. And each port's own address, which its configuration gave it, is
// its own for good: nobody else can claim that.
#pragma once

#include <cstdint>
#include <optional>
#include <unordered_map>
#include <vector>

#include "vmm/base/clock.h"
#include "vmm/model/net_config.h"

namespace carrel {

// One thread at a time. Allocates when a port is added, and for a port's first kLearnedPerPort addresses.
class MacTable {
  public:
    static constexpr size_t kLearnedPerPort = 64;
    static constexpr Nanoseconds kAge = 300 * kSecond;  // 802.1Q, table 8-6: the default

    using Port = uint32_t;
    // False: the address is another port's own.
    bool add_port(Port port, const MacAddress& own);
    void remove_port(Port port);

    // A frame from `address` came in at `port`. False: it isn't the port's to send.
    bool learn(Port port, const MacAddress& address, Nanoseconds now);
    // Nothing: not known, or too long ago.
    std::optional<Port> find(const MacAddress& address, Nanoseconds now) const;
    size_t size() const { return entries_.size(); }

  private:
    struct Entry {
        Port port;
        bool own;
        Nanoseconds seen;
    };
    // What a port has learned, oldest first; an address may have gone elsewhere since.
    struct Learned {
        std::vector<uint64_t> keys;
        size_t oldest = 0;
    };
    void remember(Port port, uint64_t key, Nanoseconds now);

    std::unordered_map<uint64_t, Entry> entries_;
    std::unordered_map<Port, Learned> ports_;
};

}  // namespace carrel
