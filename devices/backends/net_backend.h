// NetBackend: where a guest's network interface leads to on the host. A tap, passt, a port of a switch.
#pragma once

#include <sys/uio.h>

#include <cstdint>
#include <span>
#include <string_view>

#include "vmm/base/result.h"

namespace carrel {

// The device in front of it. Called on the loop's thread, never inside a call of the backend's own.
class NetListener {
  public:
    virtual ~NetListener() = default;
    virtual void frames_waiting(unsigned pair) = 0;  // receive() may have one
    virtual void room(unsigned pair) = 0;            // send() takes frames again
    virtual void link_changed(bool up) = 0;
};

// A frame is a struct virtio_net_hdr_v1 of 12 bytes (VIRTIO 1.3, 5.1.6) and the Ethernet frame behind it. A
// backend without offloads ignores the header on the way out and gives zeros (num_buffers 1) on the way in.
//
// Outlives its devices: a machine that is rebuilt attaches a new one before the old one detaches. All of it
// on the loop's thread, or while it doesn't run, but for send() and receive(), which are called with the
// device's mutex held.
class NetBackend {
  public:
    virtual ~NetBackend() = default;

    virtual std::string_view name() const = 0;  // "tap0", for messages
    virtual bool link_up() const = 0;
    virtual unsigned pairs() const = 0;  // queue pairs, at least 1
    virtual uint64_t features()
        const = 0;                     // VIRTIO_NET_F_* of 5.1.3 that it can keep: checksums, segmentation
    virtual uint16_t mtu() const = 0;  // 0: it doesn't say

    // Whose frames these are from now on; one at a time, the last one counts.
    virtual Result<void> attach(NetListener& listener) = 0;
    // Nothing where another has attached since.
    virtual void detach(NetListener& listener) = 0;
    // What the driver has agreed to, and how many pairs it uses; 0 and 1 after a reset.
    virtual void agree(uint64_t features, unsigned pairs) = 0;
    // Whether frames_waiting() is wanted: off while the guest gives no buffers, so that nothing spins and the
    // host's own queue fills up and drops.
    virtual void watch(unsigned pair, bool on) = 0;

    // The next frame into `pieces`: its bytes with the header, -EAGAIN where there is none, or another
    // -errno. A frame that is larger is cut by the host; `pieces` are the driver's, so the device gives 64
    // KiB where that can be.
    virtual ssize_t receive(unsigned pair, std::span<const iovec> pieces) = 0;
    // One whole frame: its bytes; -EAGAIN: keep it, room() follows; another -errno: it is lost.
    virtual ssize_t send(unsigned pair, std::span<const iovec> pieces) = 0;
};

}  // namespace carrel
