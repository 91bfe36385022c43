// One virtio-pci function: where its registers are, and the conversation up to DRIVER_OK. VIRTIO 1.3,
// sections 3.1 and 4.1. It keeps no rules by itself: a caller may do any step at any time.
#pragma once
#include <cstdint>

#include "lib/pci.h"
#include "lib/virtio_queue.h"

namespace guest {

// 2.1
constexpr std::uint8_t kVirtioAcknowledge = 1, kVirtioDriver = 2, kVirtioDriverOk = 4, kVirtioFeaturesOk = 8,
                       kVirtioNeedsReset = 64, kVirtioFailed = 128;
// 6
constexpr std::uint64_t kFeatureIndirect = 1ull << 28, kFeatureEventIdx = 1ull << 29,
                        kFeatureVersion1 = 1ull << 32, kFeatureRingReset = 1ull << 40,
                        kFeaturePacked = 1ull << 34;
// 5
constexpr unsigned kVirtioNet = 1, kVirtioBlock = 2, kVirtioConsole = 3, kVirtioEntropy = 4,
                   kVirtioBalloon = 5, kVirtioVsock = 19;
const char* virtio_name(unsigned type);

// 4.1.4.3, struct virtio_pci_common_cfg
enum CommonRegister : unsigned {
    kDeviceFeatureSelect = 0x00,
    kDeviceFeature = 0x04,
    kDriverFeatureSelect = 0x08,
    kDriverFeature = 0x0c,
    kConfigVector = 0x10,
    kNumQueues = 0x12,
    kDeviceStatus = 0x14,
    kConfigGeneration = 0x15,
    kQueueSelect = 0x16,
    kQueueSize = 0x18,
    kQueueVector = 0x1a,
    kQueueEnable = 0x1c,
    kQueueNotifyOff = 0x1e,
    kQueueDescriptors = 0x20,
    kQueueDriverArea = 0x28,
    kQueueDeviceArea = 0x30,
    kQueueReset = 0x3a,  // with kFeatureRingReset
};

class VirtioPci {
  public:
    // Finds the structures and switches decoding on; false: no virtio function in this slot.
    bool open(unsigned slot);

    unsigned slot() const { return slot_; }
    unsigned type() const { return type_; }
    std::uint32_t bar() const { return bar_; }
    std::uint64_t common() const { return bar_ + common_; }
    std::uint64_t isr() const { return bar_ + isr_; }
    std::uint64_t device_config() const { return bar_ + device_; }
    std::uint64_t doorbell(unsigned queue) const {
        return bar_ + notify_ + std::uint64_t{queue} * multiplier_;
    }
    std::uint64_t msix_table() const { return bar_ + msix_table_; }
    unsigned msix() const { return msix_; }      // the capability; 0 without
    unsigned window() const { return window_; }  // 4.1.4.9, the configuration access capability

    template <typename T>
    T get(unsigned reg) const {
        return read_physical<T>(common() + reg);
    }
    template <typename T>
    void put(unsigned reg, T value) const {
        write_physical<T>(common() + reg, value);
    }
    std::uint8_t status() const { return get<std::uint8_t>(kDeviceStatus); }
    void set_status(unsigned bits) const { put(kDeviceStatus, static_cast<std::uint8_t>(bits)); }
    bool needs_reset() const { return (status() & kVirtioNeedsReset) != 0; }
    std::uint16_t queues() const { return get<std::uint16_t>(kNumQueues); }
    std::uint64_t offered() const;
    void accept(std::uint64_t features) const;
    // Status 0, and until the device says so too (4.1.4.3.2); false: it didn't within `patience`
    // microseconds. A device may wait 5 s for its host.
    bool reset(std::uint64_t patience = 20000000) const;
    // To FEATURES_OK; whether that stayed.
    bool negotiate(std::uint64_t features) const;
    std::uint16_t largest(unsigned queue) const;
    void set_queue(unsigned queue, const QueuePlace& place) const;
    void notify(unsigned queue) const { write_physical(doorbell(queue), static_cast<std::uint16_t>(queue)); }
    // The BAR answers elsewhere from now on, and where it is looked for.
    void move(std::uint32_t to);
    // One vector of the MSI-X table.
    void set_vector(unsigned vector, std::uint64_t address, std::uint32_t data, bool masked) const;

  private:
    void note(unsigned capability);
    void set_area(unsigned reg, std::uint64_t address) const;

    unsigned slot_ = 0, type_ = 0;
    std::uint32_t bar_ = 0, common_ = 0, isr_ = 0, device_ = 0, notify_ = 0, multiplier_ = 0, msix_table_ = 0;
    unsigned msix_ = 0, window_ = 0;
};

}  // namespace guest
