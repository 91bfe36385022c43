// VirtioDevices: a machine's virtio devices, and where a guest finds them: on its PCI bus, or each in a page
// of its own.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "devices/pci/bar_space.h"
#include "devices/pci/root_bus.h"
#include "devices/virtio/balloon/balloon.h"
#include "devices/virtio/console/console.h"
#include "devices/virtio/device_runner.h"
#include "devices/virtio/mmio_transport.h"
#include "devices/virtio/net/net.h"
#include "devices/virtio/pci_transport.h"
#include "devices/virtio/virtio_device.h"
#include "vmm/base/event_loop.h"
#include "vmm/base/log.h"
#include "vmm/base/mutex.h"
#include "vmm/bus/bus.h"
#include "vmm/kvm/vm.h"
#include "vmm/machine/balloon_poll.h"
#include "vmm/machine/coalesced_writes.h"
#include "vmm/machine/device_sources.h"
#include "vmm/machine/disk_pool.h"
#include "vmm/model/machine_description.h"

namespace carrel {

// What they are connected to; all of it outlives them.
struct VirtioWiring {
    kvm::Vm& vm;
    GuestMemory& memory;
    EventLoop& io;
    Bus& ports;
    Bus& mmio;
    pci::RootBus& pci;
    CoalescedWrites& coalesced;
    ByteSink& console;         // what a virtio console sends
    RoomListener& input_room;  // told when it takes input again
    DiskPool& disks;           // their threads
    Log& log;
};

struct MalformedChains {
    std::string device;  // such as "virtio-blk 0"
    uint64_t chains;
};

struct InterfaceTraffic {
    std::string device;  // such as "virtio-net 0 (tap0)"
    virtio::NetCounters frames;
    NetLosses losses;  // its backend's, which outlives the machine's hardware
};

// Built and destroyed on the io thread, or while it doesn't run.
class VirtioDevices final : public pci::BarSpace {
  public:
    explicit VirtioDevices(const VirtioWiring& wiring) : wiring_(wiring) {}
    ~VirtioDevices() override;
    VirtioDevices(const VirtioDevices&) = delete;
    VirtioDevices& operator=(const VirtioDevices&) = delete;

    // All that the description names, each connected to its source, which outlives it.
    Result<void> build(const MachineDescription& description, const DeviceSources& sources);

    // What is in flight ends, and nothing new is taken up until resume(). False: not within `limit`.
    bool quiesce(Nanoseconds limit);
    bool abandon(Nanoseconds limit);
    void resume();
    void memory_came();

    // What the drivers got wrong and got back, device by device.
    std::vector<MalformedChains> malformed() const;
    // The network interfaces in their order. The io thread.
    std::vector<InterfaceTraffic> traffic() const;

    // Null: none.
    virtio::Console* console() { return console_; }
    virtio::Balloon* balloon() const { return balloon_; }

    bool place(Device& registers, AddressSpace space, std::optional<uint64_t> base, uint64_t size) override
        EXCLUDES(mutex_);

  private:
    // Null: not one of ours.
    Result<std::unique_ptr<virtio::VirtioDevice>> make(const DevicePlace& place,
                                                       const DeviceSources& sources);
    std::unique_ptr<virtio::Console> make_console();
    std::unique_ptr<virtio::Balloon> make_balloon(const BalloonOptions& options);
    Result<std::unique_ptr<virtio::DeviceRunner>> runner_for(const DevicePlace& place,
                                                             virtio::VirtioDevice& device);
    Result<void> add_function(const DevicePlace& place, virtio::VirtioDevice& device, bool packed_rings);
    Result<void> add_page(const DevicePlace& place, virtio::VirtioDevice& device, bool packed_rings);

    const VirtioWiring wiring_;
    Mutex mutex_;  // two vCPUs may move two BARs; behind the functions' in the order of locks
    std::map<const Device*, uint64_t> places_ GUARDED_BY(mutex_);  // where each one's registers answer
    std::vector<std::unique_ptr<virtio::VirtioDevice>> devices_;
    virtio::Console* console_ = nullptr;  // among these, as is the next
    virtio::Balloon* balloon_ = nullptr;
    std::optional<BalloonPoll> balloon_poll_;
    std::vector<const virtio::Net*> nets_;  // and these
    // Of these, in the same order; one of the two is empty.
    std::vector<std::unique_ptr<virtio::PciTransport>> functions_;
    std::vector<std::unique_ptr<virtio::MmioTransport>> pages_;
};

}  // namespace carrel
