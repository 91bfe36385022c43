// EndpointConfig: the configuration space of a function with a memory BAR, perhaps one of ports, and a list
// of capabilities. PCI Local Bus Specification 3.0, sections 6.1, 6.2.5.1 and 6.7.
//
//   00 ┌────────────────────────────┐
//      │ type 00h header            │ ids, command, status, BARs, pointer to the capabilities
//   40 ├────────────────────────────┤
//      │ capabilities, one behind   │ each: id, offset of the next, body
//      │ the other, in dwords       │
//      └────────────────────────────┘
//
// A guest moves the BAR by writing its base, and learns its size by writing all ones: the bits below the size
// stay 0. Whether the BAR is decoded is a bit of the command register.
#pragma once

#include <cstdint>
#include <optional>
#include <span>

#include "devices/pci/config_registers.h"
#include "devices/pci/config_space.h"

namespace carrel::pci {

struct Identity {
    uint16_t vendor = 0;
    uint16_t device = 0;
    uint8_t revision = 0;
    uint8_t base_class = 0;
    uint8_t subclass = 0;
    uint16_t subsystem_vendor = 0;
    uint16_t subsystem = 0;
    uint8_t interrupt_pin = 1;  // 0: none, 1: INTA
};

// Not for several threads: guarded by its function's mutex.
class EndpointConfig {
  public:
    // BAR 0: 32 bits wide, not prefetchable; `bar_size` is a power of two of at least 16, `bar_base` a
    // multiple of it and what firmware would have set.
    EndpointConfig(const Identity& identity, uint32_t bar_base, uint32_t bar_size);
    // BAR 1: `size` ports, a power of two of at least 4; `base` as above.
    void add_port_bar(uint16_t base, uint16_t size);

    // Behind those that are there; gives its offset, at which the id stands. `body` begins behind the pointer
    // to the next. `writable` is as long as `body`, or empty: nothing.
    uint32_t add_capability(CapabilityId id, std::span<const std::byte> body,
                            std::span<const std::byte> writable = {});

    template <class T>
    T get(uint32_t offset) const {
        return space_.get<T>(offset);
    }
    void read(uint32_t offset, std::span<std::byte> data) const { space_.read(offset, data); }
    void write(uint32_t offset, std::span<const std::byte> data) { space_.write(offset, data); }

    // Where the BAR is decoded now.
    std::optional<uint64_t> bar() const;
    std::optional<uint64_t> port_bar() const;
    bool intx_disabled() const { return (get<uint16_t>(kCommand) & kCommandNoIntx) != 0; }

    void reset() { space_.reset(); }
    void save(ByteWriter& writer) const { space_.save(writer); }
    void restore(ByteReader& part) { space_.restore(part); }

  private:
    ConfigSpace space_;
    uint32_t link_ = kCapabilities;  // the byte that will point to the next capability
    uint32_t end_ = kFirstCapability;
};

}  // namespace carrel::pci
