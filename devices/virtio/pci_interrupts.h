// PciInterrupts: how a virtio-pci function interrupts its driver: MSI-X, or INTA with the ISR status for a
// driver that doesn't use that. VIRTIO 1.3, sections 4.1.4.5 and 4.1.5.3, 4.1.5.4.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "devices/pci/msix.h"
#include "vmm/base/mutex.h"
#include "vmm/bus/irq_line.h"

namespace carrel::virtio {

// Any thread. Its mutexes are the last in the order of locks. A message changes on a vCPU thread, with
// `routing_` held and not `mutex_`: a device's thread that signals, and that serves other guests too, never
// waits for KVM.
class PciInterrupts {
  public:
    static constexpr uint16_t kNoVector = 0xffff;  // VIRTIO_MSI_NO_VECTOR

    // `messages` has a vector for each queue and one for configuration changes.
    PciInterrupts(pci::Msix messages, std::unique_ptr<IrqLine> inta, uint16_t queues);

    void signal_queue(uint16_t queue) EXCLUDES(mutex_);
    void signal_config() EXCLUDES(mutex_);

    // 4.1.4.3: the vector is kNoVector afterwards where it doesn't exist.
    void set_queue_vector(uint16_t queue, uint16_t vector) EXCLUDES(mutex_);
    void set_config_vector(uint16_t vector) EXCLUDES(mutex_);
    uint16_t queue_vector(uint16_t queue) const EXCLUDES(mutex_);
    uint16_t config_vector() const EXCLUDES(mutex_);
    // Reading clears it and takes INTA back.
    uint8_t take_isr() EXCLUDES(mutex_);
    // INTA is asked for, whether the guest lets it through or not (PCI 3.0, 6.2.3).
    bool intx_pending() const EXCLUDES(mutex_);
    // The guest wrote MSI-X's message control, or the command register.
    void configure(uint16_t message_control, bool intx_disabled) EXCLUDES(routing_, mutex_);

    void read_table(uint64_t offset, std::span<std::byte> data) const EXCLUDES(mutex_);
    void write_table(uint64_t offset, std::span<const std::byte> data) EXCLUDES(routing_, mutex_);
    void read_pending(uint64_t offset, std::span<std::byte> data) const EXCLUDES(mutex_);

    // The function's reset; a device's own (status 0) forgets its vectors and ISR only.
    void reset() EXCLUDES(routing_, mutex_);
    void reset_device() EXCLUDES(mutex_);
    void save(ByteWriter& writer) const EXCLUDES(mutex_);
    void restore(ByteReader& part, uint16_t message_control, bool intx_disabled) EXCLUDES(routing_, mutex_);

  private:
    enum Isr : uint8_t { kQueue = 1, kConfig = 2 };
    void raise(uint8_t cause, uint16_t vector) REQUIRES(mutex_);
    void update_inta() REQUIRES(mutex_);
    uint16_t existing(uint16_t vector) const REQUIRES(mutex_);
    void forget() REQUIRES(mutex_);
    void route_changes() REQUIRES(routing_) EXCLUDES(mutex_);
    std::optional<pci::Msix::Route> next_route(uint16_t from) const EXCLUDES(mutex_);

    Mutex routing_;  // before mutex_: messages go to KVM one at a time
    mutable Mutex mutex_;
    pci::Msix msix_ GUARDED_BY(mutex_);
    const std::unique_ptr<IrqLine> inta_;
    std::vector<uint16_t> queue_vectors_ GUARDED_BY(mutex_);
    uint16_t config_vector_ GUARDED_BY(mutex_) = kNoVector;
    uint8_t isr_ GUARDED_BY(mutex_) = 0;
    bool intx_disabled_ GUARDED_BY(mutex_) = false;
};

}  // namespace carrel::virtio
