// A virtio device behind MMIO and its driver, over one memory.
#pragma once

#include <memory>
#include <vector>

#include "devices/virtio/loop_runner.h"
#include "devices/virtio/mmio_transport.h"
#include "tests/devices/fakes.h"
#include "tests/virtio/driver.h"
#include "tests/virtio/pci_fakes.h"
#include "tests/virtio/surroundings.h"

namespace carrel::virtio::test {

inline constexpr uint64_t kMmioBase = 0xf001'0000;

// One device, seen from its guest.
class MmioSide {
  public:
    using Register = MmioRegister;
    MmioSide(Surroundings& around, VirtioDevice& device)
        : loop_(*around.loop),
          transport_(
              std::make_unique<MmioTransport>(device, LoopRunner::create(loop_, device).value(),
                                              MmioWiring{*around.memory, doorbells, kMmioBase, true},
                                              std::make_unique<ForwardedIrq<carrel::test::FakeIrq>>(irq))) {}

    FakeDoorbells doorbells;
    carrel::test::FakeIrq irq;

    MmioTransport& device() { return *transport_; }
    template <class T>
    T get_at(uint64_t offset) {
        return carrel::test::in<T>(*transport_, offset);
    }
    template <class T>
    void put_at(uint64_t offset, T value) {
        carrel::test::out(*transport_, offset, value);
    }
    uint32_t get(Register reg) { return get_at<uint32_t>(static_cast<uint32_t>(reg)); }
    void put(Register reg, uint32_t value) { put_at(static_cast<uint32_t>(reg), value); }

    uint32_t status() { return get(Register::kStatus); }
    void set_status(uint32_t bits) { put(Register::kStatus, bits); }
    uint64_t offered() {
        put(Register::kDeviceFeaturesSel, 1);
        const uint64_t high = get(Register::kDeviceFeatures);
        put(Register::kDeviceFeaturesSel, 0);
        return high << 32 | get(Register::kDeviceFeatures);
    }
    void accept(uint64_t features) {
        for (const uint32_t half : {0u, 1u}) {
            put(Register::kDriverFeaturesSel, half);
            put(Register::kDriverFeatures, static_cast<uint32_t>(features >> half * 32));
        }
    }
    // 3.1.1, steps 1 to 6; whether FEATURES_OK stayed.
    bool negotiate(uint64_t features) {
        set_status(0);
        set_status(kAcknowledge | kDriver);
        accept(features);
        set_status(kAcknowledge | kDriver | kFeaturesOk);
        return (status() & kFeaturesOk) != 0;
    }
    void set_queue(uint32_t queue, const QueueState& state) {
        put(Register::kQueueSel, queue);
        put(Register::kQueueSize, state.size);
        set_area(Register::kQueueDescLow, raw(state.descriptor_area));
        set_area(Register::kQueueDriverLow, raw(state.driver_area));
        set_area(Register::kQueueDeviceLow, raw(state.device_area));
        put(Register::kQueueReady, 1);
    }
    void set_area(Register low, uint64_t address) {
        put(low, static_cast<uint32_t>(address));
        put_at(static_cast<uint32_t>(low) + 4, static_cast<uint32_t>(address >> 32));
    }
    void go() { set_status(status() | kDriverOk); }
    // From reset to DRIVER_OK with queue 0; the status afterwards.
    uint32_t start(const Driver& driver, uint64_t features) {
        negotiate(features | kVersion1);
        set_queue(0, driver.state());
        go();
        return status();
    }
    // What a driver does after publish(): by KVM where a doorbell is bound, else by an exit.
    void notify(uint32_t queue = 0) {
        const auto at = static_cast<uint32_t>(Register::kQueueNotify);
        if (!doorbells.ring(kMmioBase + at, queue)) put(Register::kQueueNotify, queue);
        carrel::test::pump(loop_);
    }

    std::vector<std::byte> saved() const {
        ByteWriter writer;
        transport_->save(writer);
        return std::move(writer).take();
    }
    bool restores(std::span<const std::byte> bytes) {
        ByteReader reader(bytes);
        return transport_->restore(reader).ok();
    }

  private:
    EventLoop& loop_;
    std::unique_ptr<MmioTransport> transport_;
};

}  // namespace carrel::virtio::test
