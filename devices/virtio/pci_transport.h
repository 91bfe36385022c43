// PciTransport: a virtio device as a PCI function. VIRTIO 1.3, section 4.1; what it looks like: pci_layout.h.
//
// A driver's doorbell is an ioeventfd from DRIVER_OK on, and KVM rings the queue's eventfd without leaving
// the guest for us. Where that can't be had, the same write comes here by an exit and rings the same eventfd.
//
// Missing: VIRTIO_F_NOTIFICATION_DATA, shared memory capabilities, transitional drivers (4.1.4.10).
#pragma once

#include <memory>
#include <vector>

#include "devices/pci/bar_space.h"
#include "devices/pci/endpoint_config.h"
#include "devices/pci/function.h"
#include "devices/virtio/device_runner.h"
#include "devices/virtio/pci_interrupts.h"
#include "devices/virtio/pci_layout.h"
#include "devices/virtio/transport_core.h"
#include "vmm/bus/doorbell.h"

namespace carrel::virtio {

// What the function is connected to; all of it outlives the function.
struct PciWiring {
    GuestMemory& memory;
    pci::BarSpace& bars;
    MessageInterrupts& messages;
    Doorbells& doorbells;
    bool packed_rings = false;  // are offered
};

class PciTransport final : public pci::Function, private DeviceEvents {
  public:
    // Where the BARs lie until the guest moves them; without `ports` there is no BAR 1. `device` outlives the
    // function.
    struct Places {
        uint32_t memory;
        std::optional<uint16_t> ports;
    };
    static Result<std::unique_ptr<PciTransport>> create(VirtioDevice& device,
                                                        std::unique_ptr<DeviceRunner> runner,
                                                        const PciWiring& wiring, const Places& places,
                                                        std::unique_ptr<IrqLine> inta);
    PciTransport(VirtioDevice& device, std::unique_ptr<DeviceRunner> runner, const PciWiring& wiring,
                 const Places& places, pci::Msix messages,
                 std::unique_ptr<IrqLine> inta);  // use create()
    ~PciTransport() override;

    std::string_view name() const override { return name_; }
    void read_config(uint32_t offset, std::span<std::byte> data) override EXCLUDES(mutex_);
    void write_config(uint32_t offset, std::span<const std::byte> data) override EXCLUDES(mutex_);
    void reset() override EXCLUDES(mutex_);
    void save(ByteWriter& writer) const override EXCLUDES(mutex_);
    Result<void> restore(ByteReader& reader) override EXCLUDES(mutex_);

  private:
    // What answers in BAR 0.
    class Registers final : public Device {
      public:
        explicit Registers(PciTransport& transport) : transport_(transport) {}
        std::string_view name() const override { return transport_.name(); }
        void read(uint64_t offset, std::span<std::byte> data) override;
        void write(uint64_t offset, std::span<const std::byte> data) override;

      private:
        PciTransport& transport_;
    };

    // What answers in BAR 1.
    class Ports final : public Device {
      public:
        explicit Ports(PciTransport& transport) : transport_(transport) {}
        std::string_view name() const override { return transport_.name(); }
        void read(uint64_t, std::span<std::byte> data) override;
        void write(uint64_t offset, std::span<const std::byte> data) override;

      private:
        PciTransport& transport_;
    };

    // DeviceEvents
    void used(uint16_t queue) override { interrupts_.signal_queue(queue); }
    void config_changed() override;
    void needs_reset() override;
    void again(uint16_t queue) override { runner_->ring(queue); }

    void add_capabilities() REQUIRES(mutex_);
    void read_bar(uint64_t offset, std::span<std::byte> data) REQUIRES(mutex_);
    void write_bar(uint64_t offset, std::span<const std::byte> data) REQUIRES(mutex_);
    void write_ports(uint64_t offset, std::span<const std::byte> data) REQUIRES(mutex_);
    void read_common(uint64_t offset, std::span<std::byte> data) REQUIRES(mutex_);
    uint64_t common(uint32_t reg) const REQUIRES(mutex_);
    void write_common(uint64_t offset, std::span<const std::byte> data) REQUIRES(mutex_);
    void set_status(uint8_t status) REQUIRES(mutex_);
    void access_window(bool write) REQUIRES(mutex_);
    void follow_config() REQUIRES(mutex_);
    void place_bars() REQUIRES(mutex_);
    void bind_doorbells() REQUIRES(mutex_);
    void bind(AddressSpace space, uint16_t queue) REQUIRES(mutex_);
    void ring(uint16_t queue) REQUIRES(mutex_);
    void reset_all() REQUIRES(mutex_);

    const std::string_view name_;
    const PciWiring wiring_;
    std::unique_ptr<DeviceRunner> runner_;
    PciInterrupts interrupts_;
    Registers registers_{*this};
    Ports ports_{*this};
    std::atomic<uint8_t> generation_{0};
    std::atomic<bool> broken_{false};

    mutable Mutex mutex_;
    pci::EndpointConfig config_ GUARDED_BY(mutex_);
    uint32_t msix_ GUARDED_BY(mutex_) = 0;  // offsets of capabilities
    uint32_t window_ GUARDED_BY(mutex_) = 0;
    uint32_t reset_ GUARDED_BY(mutex_) = 0;
    TransportCore core_ GUARDED_BY(mutex_);
    std::optional<uint64_t> bar_ GUARDED_BY(mutex_);       // where the registers answer
    std::optional<uint64_t> port_bar_ GUARDED_BY(mutex_);  // and the ports
    // The driver rings in memory: each doorbell bound costs the start of a driver some 0.1 ms, and it uses
    // one kind.
    bool memory_doorbells_ GUARDED_BY(mutex_);
    std::vector<std::unique_ptr<Doorbell>> doorbells_ GUARDED_BY(mutex_);
};

}  // namespace carrel::virtio
