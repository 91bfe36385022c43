// A device with any number of queues and its driver over one memory, without a transport.
#pragma once

#include <deque>
#include <memory>
#include <vector>

#include "devices/virtio/virtio_device.h"
#include "tests/virtio/driver.h"

namespace carrel::virtio::test {

class DeviceSide final : public DeviceEvents {
  public:
    static constexpr uint16_t kSize = 16;
    static constexpr QueueFeatures kRings{.packed = false, .event_idx = false, .indirect = true};
    static uint64_t shift(uint16_t queue) { return queue * uint64_t{0x1000}; }

    explicit DeviceSide(std::unique_ptr<GuestMemory> ram = make_memory()) : memory(std::move(ram)) {}

    // The device is the caller's, and may be another one than before, connected to the same rings.
    void connect(VirtioDevice& new_device) {
        device = &new_device;
        device->connect(*memory, *this);
        if (!drivers.empty()) return;
        for (uint16_t i = 0; i < device->queue_sizes().size(); ++i)
            drivers.push_back(make_driver(*memory, kSize, kRings, shift(i)));
    }
    const char* start(uint64_t features) {
        std::vector<QueueState> states;
        for (const auto& driver : drivers) states.push_back(driver->state());
        return start(features, states);
    }
    const char* start(uint64_t features, const std::vector<QueueState>& states) {
        const char* const error = device->activate({features | kVersion1 | kIndirectDesc, states});
        run_again();
        return error;
    }
    // Rings as after a boot of the guest.
    void forget_rings() {
        const std::vector<std::byte> zeros(0x10000);
        for (const uint64_t area : {kDescriptors, kDriverArea, kDeviceArea})
            memory->write_bytes(Gpa{area}, zeros);
        for (uint16_t i = 0; i < drivers.size(); ++i)
            drivers[i] = make_driver(*memory, kSize, kRings, shift(i));
        again_.clear();
        interrupts = config_changes = 0;
        broken = false;
    }
    void kick(uint16_t queue) {
        drivers[queue]->publish();
        device->notify(queue);
        run_again();
    }
    // What the device asked for with again().
    void run_again() {
        for (int rounds = 0; rounds < 10'000 && !again_.empty(); ++rounds) {
            const uint16_t queue = again_.front();
            again_.pop_front();
            device->notify(queue);
        }
    }
    // The device's state, taken on by another: what a rebuild does.
    bool move_to(VirtioDevice& next, uint64_t features) {
        if (!device->quiesce(kSecond)) return false;
        const auto states = device->queue_states();
        ByteWriter writer;
        device->save(writer);
        device->reset();
        connect(next);
        ByteReader reader(writer.bytes());
        return next.restore(reader).ok() && reader.at_end() && start(features, states) == nullptr;
    }

    std::unique_ptr<GuestMemory> memory;
    VirtioDevice* device = nullptr;
    std::vector<std::unique_ptr<Driver>> drivers;
    uint64_t interrupts = 0, config_changes = 0;
    bool broken = false;

  private:
    void used(uint16_t) override { ++interrupts; }
    void config_changed() override { ++config_changes; }
    void needs_reset() override { broken = true; }
    void again(uint16_t queue) override { again_.push_back(queue); }
    std::deque<uint16_t> again_;
};

}  // namespace carrel::virtio::test
