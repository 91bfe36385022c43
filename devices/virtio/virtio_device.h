// VirtioDevice: a device behind its transport. What a disk or a network card does is here; how the guest
// finds and configures it (PCI, MMIO) is the transport's.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "devices/virtio/features.h"
#include "devices/virtio/queue/queue_state.h"
#include "vmm/base/bytes.h"
#include "vmm/base/clock.h"
#include "vmm/base/result.h"
#include "vmm/memory/guest_memory.h"

namespace carrel::virtio {

// What a device tells its driver, through the transport. Any thread, the device's mutex held; never waits,
// and never calls the device.
class DeviceEvents {
  public:
    virtual ~DeviceEvents() = default;
    virtual void used(uint16_t queue) = 0;   // 2.3: buffers were given back, and the driver wants to know
    virtual void config_changed() = 0;       // 2.5
    virtual void needs_reset() = 0;          // 2.1.2: the driver broke the protocol
    virtual void again(uint16_t queue) = 0;  // call notify() once more: there is work left
};

// What a driver has agreed to.
struct Activation {
    uint64_t features = 0;               // among those offered
    std::span<const QueueState> queues;  // one for each; those that aren't ready stay unused
};

// Lock order: a transport's mutex, then the device's, then the transport's interrupts.
class VirtioDevice {
  public:
    virtual ~VirtioDevice() = default;

    virtual std::string_view name() const = 0;
    virtual DeviceType type() const = 0;
    // The device's own feature bits; those of the queues are the transport's to add.
    virtual uint64_t features() const = 0;
    // The largest size of each queue: powers of two.
    virtual std::span<const uint16_t> queue_sizes() const = 0;

    // Device configuration space, 2.5. vCPU threads. Beyond its end reads give zeros and writes are ignored.
    virtual void read_config(uint64_t offset, std::span<std::byte> data) = 0;
    virtual void write_config(uint64_t offset, std::span<const std::byte> data) = 0;

    // Where its events go; before anything else.
    virtual void connect(GuestMemory& memory, DeviceEvents& events) = 0;
    // DRIVER_OK. Null, or what the driver did wrong: the device waits for its reset then.
    virtual const char* activate(const Activation& activation) = 0;
    // One queue of an active device, 2.6.1. reset_queue(): what it has under way ends, and nothing of it is
    // touched any more; the others go on. False: that can't be had in time, and the device waits for a reset.
    // enable_queue(): set up anew, by a driver that may; the answer as of activate().
    virtual bool reset_queue(uint16_t queue) = 0;
    virtual const char* enable_queue(uint16_t queue, const QueueState& state) = 0;
    // There may be chains in this queue. The device's own thread.
    virtual void notify(uint16_t queue) = 0;
    // An eventfd that rings when something has ended that the device started (a request of the kernel's): the
    // device's own thread calls wake() then. -1: it starts nothing.
    virtual int event_fd() const { return -1; }
    virtual void wake() {}
    // Nothing in flight touches guest memory any more when it returns, and all is as after power-on. Any
    // thread.
    virtual void reset() = 0;

    // Finishes what is in flight, and takes up no more until resume(). False: not within `limit`.
    virtual bool quiesce(Nanoseconds limit) = 0;
    virtual void resume() = 0;
    // There is no driver any more: takes up nothing, and abandons what is in flight. False: not all of that
    // has ended within `limit`; reset() doesn't wait for it once more.
    virtual bool abandon(Nanoseconds) { return true; }
    // The memory quota has room again: chains that waited for it are taken up. Any thread.
    virtual void memory_came() {}
    // While quiesced: where the queues stand, and what else a guest can see of the device.
    virtual std::vector<QueueState> queue_states() const = 0;
    virtual void save(ByteWriter& writer) const = 0;
    // Of a device that is as after reset(); the bytes are hostile. activate() follows where it was active.
    virtual Result<void> restore(ByteReader& reader) = 0;

    // Chains that its driver got wrong and got back, since it was made. Any thread.
    virtual uint64_t malformed() const { return 0; }
};

}  // namespace carrel::virtio
