// MmioTransport: a virtio device as a page of registers and an interrupt line, for guests without PCI.
// VIRTIO 1.3, section 4.2; what it looks like: mmio_layout.h.
//
// A guest can't find it by looking: boot/acpi announces it, or the kernel's command line. One register is the
// doorbell of all queues, so each queue's ioeventfd is bound to the number that is written there.
//
// Missing: VIRTIO_F_NOTIFICATION_DATA, shared memory regions, the legacy interface (4.2.4).
#pragma once

#include <memory>
#include <vector>

#include "devices/virtio/device_runner.h"
#include "devices/virtio/mmio_interrupts.h"
#include "devices/virtio/mmio_layout.h"
#include "devices/virtio/transport_core.h"
#include "vmm/bus/device.h"
#include "vmm/bus/doorbell.h"

namespace carrel::virtio {

// What the device is connected to; all of it outlives the transport.
struct MmioWiring {
    GuestMemory& memory;
    Doorbells& doorbells;
    uint64_t base;              // where the page lies, for the doorbells
    bool packed_rings = false;  // are offered
};

class MmioTransport final : public Device, private DeviceEvents {
  public:
    // `device` outlives it.
    MmioTransport(VirtioDevice& device, std::unique_ptr<DeviceRunner> runner, const MmioWiring& wiring,
                  std::unique_ptr<IrqLine> line);
    ~MmioTransport() override;

    std::string_view name() const override { return name_; }
    void read(uint64_t offset, std::span<std::byte> data) override EXCLUDES(mutex_);
    void write(uint64_t offset, std::span<const std::byte> data) override EXCLUDES(mutex_);
    void reset() override EXCLUDES(mutex_);
    void save(ByteWriter& writer) const override EXCLUDES(mutex_);
    Result<void> restore(ByteReader& reader) override EXCLUDES(mutex_);

  private:
    // DeviceEvents
    void used(uint16_t) override { interrupts_.signal(MmioInterrupts::kUsedBuffer); }
    void config_changed() override;
    void needs_reset() override;
    void again(uint16_t queue) override { runner_->ring(queue); }

    uint32_t control(MmioRegister reg) const REQUIRES(mutex_);
    void set_control(MmioRegister reg, uint32_t value) REQUIRES(mutex_);
    bool set_area(MmioRegister reg, uint32_t value) REQUIRES(mutex_);
    void set_ready(uint32_t ready) REQUIRES(mutex_);
    void set_status(uint32_t status) REQUIRES(mutex_);
    void notify(uint32_t queue) REQUIRES(mutex_);
    void bind_doorbells() REQUIRES(mutex_);
    void reset_all() REQUIRES(mutex_);

    const std::string_view name_;
    const MmioWiring wiring_;
    std::unique_ptr<DeviceRunner> runner_;
    MmioInterrupts interrupts_;
    std::atomic<uint32_t> generation_{0};
    std::atomic<bool> broken_{false};

    mutable Mutex mutex_;
    TransportCore core_ GUARDED_BY(mutex_);
    std::vector<std::unique_ptr<Doorbell>> doorbells_ GUARDED_BY(mutex_);
};

}  // namespace carrel::virtio
