// Msix: a function's message-signalled interrupts. PCI Local Bus Specification 3.0, section 6.8.2.
//
//   table, 16 bytes a vector, in a BAR                 pending bits, 64 vectors a qword, in the same BAR
//   ┌───────────┬───────────┬──────┬───────────────┐   ┌─────────────────────────────────┐
//   │ address   │ address   │ data │ control: bit 0│   │ a vector was signalled while it │
//   │ low  rw   │ high   rw │   rw │ masked     rw │   │ was masked                   r- │
//   └───────────┴───────────┴──────┴───────────────┘   └─────────────────────────────────┘
//
// Routing a message to KVM can take milliseconds, and whoever signals must not wait for it: so changes are
// only noted here, and the owner routes them one after the other without the mutex that guards this
// (next_route, routed).
//
// Missing: tables of more than 64 vectors (their pending bits would need more than a qword).
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "vmm/base/bytes.h"
#include "vmm/base/result.h"
#include "vmm/bus/message_interrupt.h"

namespace carrel::pci {

// 6.8.2.6 to 6.8.2.9
struct MsixEntry {
    uint32_t address_low = 0;
    uint32_t address_high = 0;
    uint32_t data = 0;
    uint32_t control = kMasked;
    static constexpr uint32_t kMasked = 1;
    bool operator==(const MsixEntry&) const = default;
};
static_assert(sizeof(MsixEntry) == 16);

// Not for several threads: guarded by its function's interrupt mutex.
class Msix {
  public:
    static constexpr uint16_t kMostVectors = 64;
    static constexpr uint16_t kEnable = 1u << 15;  // message control, 6.8.2.3
    static constexpr uint16_t kFunctionMask = 1u << 14;

    // As many lines as vectors, made ready here so that a guest can't run out of them.
    static Result<Msix> create(MessageInterrupts& source, uint16_t vectors);

    uint16_t vectors() const { return static_cast<uint16_t>(entries_.size()); }
    bool enabled() const { return (control_ & kEnable) != 0; }

    // The guest wrote message control.
    void set_control(uint16_t control);
    // `offset` counts from the table's, the pending bits' start. Any width; beyond the end reads give zeros.
    void read_table(uint64_t offset, std::span<std::byte> data) const;
    void write_table(uint64_t offset, std::span<const std::byte> data);
    void read_pending(uint64_t offset, std::span<std::byte> data) const;

    // Interrupts the guest, now, or when it unmasks the vector, or when its message is routed. One that
    // doesn't exist: nothing.
    void signal(uint16_t vector);

    // A vector whose message must be routed before it can be signalled.
    struct Route {
        uint16_t vector;
        MessageInterrupt* line;  // lives as long as this
        MsiMessage message;
    };
    // The first of these at `from` or behind it.
    std::optional<Route> next_route(uint16_t from) const;
    // KVM has it, or refused it: then it is tried again with the next change, and what is signalled until
    // then is pending.
    void routed(const Route& route, bool good);

    // Everything as at the start; the lines' routes stay until unroute().
    void reset();
    // A line of the vector's, for the owner to unroute after a reset.
    MessageInterrupt& line(uint16_t vector) { return *lines_[vector]; }
    void save(ByteWriter& writer) const;
    // Fails `part` where it was saved with another number of vectors. `control` is message control as
    // restored.
    void restore(ByteReader& part, uint16_t control);

  private:
    explicit Msix(std::vector<std::unique_ptr<MessageInterrupt>> lines)
        : lines_(std::move(lines)), entries_(lines_.size()), routes_(lines_.size()) {}
    bool masked(uint16_t vector) const {
        return (control_ & kFunctionMask) != 0 || (entries_[vector].control & MsixEntry::kMasked) != 0;
    }
    MsiMessage message(uint16_t vector) const;
    // KVM has the vector's message as it stands in the table.
    bool ready(uint16_t vector) const { return routes_[vector] == message(vector); }
    void deliver_pending(uint16_t vector);

    std::vector<std::unique_ptr<MessageInterrupt>> lines_;
    std::vector<MsixEntry> entries_;
    std::vector<std::optional<MsiMessage>> routes_;  // what was routed last
    uint64_t pending_ = 0;
    uint16_t control_ = 0;
};

}  // namespace carrel::pci
