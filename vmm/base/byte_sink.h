// ByteSink, ByteReceiver, RoomListener: where a console's bytes meet a device.
#pragma once

#include <cstddef>
#include <span>

namespace carrel {

// Takes bytes from a guest. Called on a vCPU thread with the device's mutex held: must never block and never
// call back into the device. What doesn't fit is the sink's to drop and to tell.
class ByteSink {
  public:
    virtual ~ByteSink() = default;
    virtual void write(std::span<const std::byte> bytes) = 0;
};

// Takes bytes for a guest, as much as fits now. Called on the io thread.
class ByteReceiver {
  public:
    virtual ~ByteReceiver() = default;
    // How many bytes may be given now; 0 means: stop reading the source. The device calls `on_room` of
    // whoever feeds it when room appears again (see RoomListener).
    virtual size_t room() = 0;
    virtual void receive(std::span<const std::byte> bytes) = 0;
};

// Told, on any thread and without the device's mutex held, that a ByteReceiver which was full has room again.
class RoomListener {
  public:
    virtual ~RoomListener() = default;
    virtual void on_room() = 0;
};

}  // namespace carrel
