// Console: a terminal for the guest. VIRTIO 1.3, section 5.3.
//
//   driver ──transmitq──► ByteSink           a write of the driver's, up to a page, is one doorbell
//   driver ◄──receiveq── line, 4 KiB ◄── receive()
//
// Nobody listens before DRIVER_OK: room() is 0 until then, so that what a user types early waits with whoever
// feeds the console and isn't lost in the driver's first reset.
//
// A chain to be sent goes back as soon as the sink has it, whether or not anybody reads what comes out of the
// sink: a driver (Linux's hvc for one) spins until it is back.
//
// Missing: VIRTIO_CONSOLE_F_MULTIPORT, more ports than one.
#pragma once

#include <array>
#include <functional>
#include <optional>
#include <vector>

#include "devices/backends/window_size.h"
#include "devices/virtio/console/console_format.h"
#include "devices/virtio/queue/chain_io.h"
#include "devices/virtio/queued_device.h"
#include "vmm/base/byte_sink.h"

namespace carrel::virtio {

// All that a guest can see of it but the queues, now or later.
struct ConsoleState {
    WindowSize size;
    bool size_told = false;       // the driver has been interrupted for it
    std::vector<std::byte> line;  // accepted from the host, not yet with the driver
};

class Console final : public QueuedDevice, public ByteReceiver {
  public:
    static constexpr size_t kLineRoom = 4096;

    // All outlive it. `room`: who feeds receive(), told when there is room again after room() was 0.
    // `before_sending`: called before each turn of sending, on the device's thread and without its mutex.
    Console(ByteSink& sink, RoomListener& room, const Clock& clock, std::function<void()> before_sending);
    ~Console() override { reset(); }

    std::string_view name() const override { return "virtio-console"; }
    DeviceType type() const override { return DeviceType::kConsole; }
    uint64_t features() const override { return kConsoleSize | kConsoleEmergencyWrite; }
    std::span<const uint16_t> queue_sizes() const override { return kQueueSizes; }
    void read_config(uint64_t offset, std::span<std::byte> data) override EXCLUDES(mutex_);
    void write_config(uint64_t offset, std::span<const std::byte> data) override;
    void notify(uint16_t queue) override EXCLUDES(mutex_);
    void save(ByteWriter& writer) const override EXCLUDES(mutex_);
    Result<void> restore(ByteReader& reader) override EXCLUDES(mutex_);

    // The terminal's; its driver is told where that is new. The device's thread.
    void resize(WindowSize size) EXCLUDES(mutex_);

    // ByteReceiver. The device's thread.
    size_t room() override EXCLUDES(mutex_);
    void receive(std::span<const std::byte> bytes) override EXCLUDES(mutex_);

  private:
    static constexpr std::array<uint16_t, 2> kQueueSizes = {64, 64};
    // Sent in one turn: a chain may have 4 GiB, and the thread has other devices.
    static constexpr uint32_t kMostSent = 64 * 1024;

    // A chain of which some bytes haven't been sent.
    struct Sending {
        DescriptorChain chain;
        ChainReader rest;
    };

    bool wants(uint16_t queue) override REQUIRES(mutex_);
    void serve(uint16_t queue, DescriptorChain chain) override REQUIRES(mutex_);
    void end_turn(uint16_t queue) override REQUIRES(mutex_);
    bool drain(bool abandon, Nanoseconds limit) override REQUIRES(mutex_);
    void started() override REQUIRES(mutex_);
    void fill(DescriptorChain chain) REQUIRES(mutex_);
    void send_some() REQUIRES(mutex_);
    void follow_window() REQUIRES(mutex_);
    bool room_is_news() EXCLUDES(mutex_);

    ByteSink& sink_;
    RoomListener& room_;
    const Clock& clock_;
    const std::function<void()> before_sending_;
    WindowSize window_ GUARDED_BY(mutex_);
    ConsoleState state_ GUARDED_BY(mutex_);
    std::optional<Sending> sending_ GUARDED_BY(mutex_);
    uint32_t left_ GUARDED_BY(mutex_) = kMostSent;  // of this turn
    bool feeder_waits_ GUARDED_BY(mutex_) = false;  // room() was 0 and on_room() wasn't called since
};

}  // namespace carrel::virtio
