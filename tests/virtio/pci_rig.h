// A virtio device behind PCI and its driver, over one memory. The driver finds everything by the function's
// capabilities, as a real one does.
#pragma once

#include <cstring>
#include <map>
#include <memory>
#include <vector>

#include "devices/pci/config_registers.h"
#include "devices/virtio/loop_runner.h"
#include "devices/virtio/pci_transport.h"
#include "tests/devices/fakes.h"
#include "tests/virtio/driver.h"
#include "tests/virtio/pci_fakes.h"
#include "tests/virtio/surroundings.h"

namespace carrel::virtio::test {

using carrel::test::pump;

inline constexpr uint32_t kBarBase = 0xc000'0000;

struct Capability {
    uint8_t id;
    uint32_t at;
};

// One function, seen from its guest.
class PciSide {
  public:
    PciSide(Surroundings& around, VirtioDevice& device)
        : PciSide(around, device, LoopRunner::create(*around.loop, device).value()) {}
    PciSide(Surroundings& around, VirtioDevice& device, std::unique_ptr<DeviceRunner> runner,
            std::optional<uint16_t> ports = {})
        : loop_(*around.loop),
          transport_(PciTransport::create(
                         device, std::move(runner), {*around.memory, bars, messages, doorbells, true},
                         {kBarBase, ports}, std::make_unique<ForwardedIrq<carrel::test::FakeIrq>>(irq))
                         .value()) {}

    FakeBars bars;
    FakeMessages messages;
    FakeDoorbells doorbells;
    carrel::test::FakeIrq irq;

    PciTransport& function() { return *transport_; }
    void destroy() { transport_.reset(); }

    template <class T>
    T config(uint32_t at) {
        std::array<std::byte, sizeof(T)> bytes{};
        transport_->read_config(at, bytes);
        T value;
        std::memcpy(&value, bytes.data(), sizeof value);
        return value;
    }
    template <class T>
    void set_config(uint32_t at, T value) {
        transport_->write_config(at, std::as_bytes(std::span(&value, 1)));
    }
    // Where nobody answers: all ones.
    template <class T>
    T get(uint64_t offset) {
        return bars.device != nullptr ? carrel::test::in<T>(*bars.device, offset) : static_cast<T>(~T{0});
    }
    template <class T>
    void put(uint64_t offset, T value) {
        if (bars.device != nullptr) carrel::test::out(*bars.device, offset, value);
    }

    std::vector<Capability> capabilities() {
        std::vector<Capability> found;
        for (uint32_t at = config<uint8_t>(pci::kCapabilities); at != 0 && found.size() < 64;
             at = config<uint8_t>(at + 1))
            found.push_back({config<uint8_t>(at), at});
        return found;
    }
    uint32_t capability(uint8_t id) {
        for (const Capability& c : capabilities())
            if (c.id == id) return c.at;
        return 0;
    }
    // 4.1.4: by cfg_type.
    uint32_t virtio_capability(CapabilityType type) {
        for (const Capability& c : capabilities())
            if (c.id == pci::kVendorSpecific && config<uint8_t>(c.at + 3) == static_cast<uint8_t>(type))
                return c.at;
        return 0;
    }

    void decode(uint16_t more = 0) {
        set_config<uint16_t>(pci::kCommand, pci::kCommandMemory | pci::kCommandMaster | more);
    }
    uint8_t status() { return get<uint8_t>(kDeviceStatus); }
    void set_status(unsigned bits) { put<uint8_t>(kDeviceStatus, static_cast<uint8_t>(bits)); }
    uint64_t offered() {
        put<uint32_t>(kDeviceFeatureSelect, 1);
        const uint64_t high = get<uint32_t>(kDeviceFeature);
        put<uint32_t>(kDeviceFeatureSelect, 0);
        return high << 32 | get<uint32_t>(kDeviceFeature);
    }
    void accept(uint64_t features) {
        for (const uint32_t half : {0u, 1u}) {
            put<uint32_t>(kDriverFeatureSelect, half);
            put<uint32_t>(kDriverFeature, static_cast<uint32_t>(features >> half * 32));
        }
    }
    // 3.1.1, steps 1 to 6; whether FEATURES_OK stayed.
    bool negotiate(uint64_t features) {
        decode();
        set_status(0);
        set_status(kAcknowledge | kDriver);
        accept(features);
        set_status(kAcknowledge | kDriver | kFeaturesOk);
        return (status() & kFeaturesOk) != 0;
    }
    void set_queue(uint16_t queue, const QueueState& state, uint16_t vector = PciInterrupts::kNoVector) {
        put<uint16_t>(kQueueSelect, queue);
        put<uint16_t>(kQueueSize, state.size);
        put<uint16_t>(kQueueMsixVector, vector);
        set_area(kQueueDesc, raw(state.descriptor_area));
        set_area(kQueueDriver, raw(state.driver_area));
        set_area(kQueueDevice, raw(state.device_area));
        put<uint16_t>(kQueueEnable, 1);
    }
    void set_area(uint32_t at, uint64_t address) {
        put<uint32_t>(at, static_cast<uint32_t>(address));
        put<uint32_t>(at + 4, static_cast<uint32_t>(address >> 32));
    }
    void go() { set_status(status() | kDriverOk); }
    // From reset to DRIVER_OK with queue 0; the status afterwards.
    uint8_t start(const Driver& driver, uint64_t features, uint16_t vector = PciInterrupts::kNoVector) {
        negotiate(features | kVersion1);
        set_queue(0, driver.state(), vector);
        go();
        return status();
    }
    // What a driver does after publish(): by KVM where a doorbell is bound, else by an exit.
    void notify(uint16_t queue = 0) {
        const uint64_t at = kDoorbellPart + queue * kDoorbellSize;
        if (!bars.at || !doorbells.ring(*bars.at + at)) put<uint16_t>(at, queue);
        pump(loop_);
    }

    // Vector `v` of the table, unmasked, as a driver sets it.
    void set_vector(uint16_t v, uint32_t data) {
        const uint64_t at = kMsixTablePart + v * 16u;
        put<uint32_t>(at, 0xfee0'0000);
        put<uint32_t>(at + 4, 0);
        put<uint32_t>(at + 8, data);
        put<uint32_t>(at + 12, 0);
    }
    void set_message_control(unsigned bits) {
        set_config(capability(pci::kMsix) + 2, static_cast<uint16_t>(bits));
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
    std::unique_ptr<PciTransport> transport_;
};

}  // namespace carrel::virtio::test
