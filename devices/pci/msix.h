// Msix: a function's message-signalled interrupts. PCI Local Bus Specification 3.0, section 6.8.2.
//
//   table, 16 bytes a vector, in a BAR                 pending bits, 64 vectors a qword, in the same BAR
//   ┌───────────┬───────────┬──────┬───────────────┐   ┌─────────────────────────────────┐
//   │ address   │ address   │ data │ control: bit 0│   │ a vector was signalled while it │
//   │ low  rw   │ high   rw │   rw │ masked     rw │   │ was masked                   r- │
//   └───────────┴───────────┴──────┴───────────────┘   └─────────────────────────────────┘
//
// Missing: tables of more than 64 vectors (their pending bits would need more than a qword).
#pragma once

#include <cstdint>
#include <memory>
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

    // Interrupts the guest, now or when it unmasks the vector. One that doesn't exist: nothing.
    void signal(uint16_t vector);

    void reset();
    void save(ByteWriter& writer) const;
    // Fails `part` where it was saved with another number of vectors. `control` is message control as
    // restored.
    void restore(ByteReader& part, uint16_t control);

  private:
    explicit Msix(std::vector<std::unique_ptr<MessageInterrupt>> lines)
        : lines_(std::move(lines)), entries_(lines_.size()) {}
    bool masked(uint16_t vector) const {
        return (control_ & kFunctionMask) != 0 || (entries_[vector].control & MsixEntry::kMasked) != 0;
    }
    void refresh(uint16_t vector);

    std::vector<std::unique_ptr<MessageInterrupt>> lines_;
    std::vector<MsixEntry> entries_;
    uint64_t pending_ = 0;
    uint16_t control_ = 0;
};

}  // namespace carrel::pci
