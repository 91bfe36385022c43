// NetBackend: where a guest's network interface leads to on the host. A tap, passt, a port of a switch.
#pragma once

#include <sys/uio.h>

#include <cstdint>
#include <span>
#include <string_view>

namespace carrel {

// Before each frame: struct virtio_net_hdr_v1 (VIRTIO 1.3, 5.1.6), as it lies in memory.
struct NetHeader {
    uint8_t flags;
    uint8_t gso_type;
    uint16_t hdr_len;
    uint16_t gso_size;
    uint16_t csum_start;
    uint16_t csum_offset;
    uint16_t num_buffers;
};
static_assert(sizeof(NetHeader) == 12);

// Frames that a backend took, or had, and that went nowhere, since the start. A tap's are the kernel's to
// tell.
struct NetLosses {
    uint64_t unread = 0;   // to the guest, which didn't read, so that there was no room for them
    uint64_t spoofed = 0;  // by the guest, from an address that is another's
};

// The device in front of a backend. Called on the loop's thread, never inside a call of the backend's own.
class NetListener {
  public:
    virtual ~NetListener() = default;
    // receive() may have a frame. Once more, as often as the loop turns, while one waits and watch() is on.
    virtual void frames_waiting(unsigned pair) = 0;
    // send() takes frames again. Once after each -EAGAIN.
    virtual void room(unsigned pair) = 0;
    virtual void link_changed() = 0;  // link_up() says how
};

// Frames come and go in pieces. The first piece is a NetHeader, whole and alone, in memory of the device's
// own; the others are the Ethernet frame, in the guest's memory, which the guest may change at any time. A
// backend without offloads ignores the header that it sends, and gives zeros in one that it receives. What it
// puts into num_buffers doesn't count.
//
// Outlives its devices: a machine that is rebuilt attaches a new one before the old one detaches. All of it
// on the loop's thread, or while it doesn't run.
class NetBackend {
  public:
    virtual ~NetBackend() = default;

    virtual std::string_view name() const = 0;  // "tap0", for messages
    virtual bool link_up() const = 0;           // any thread
    virtual unsigned pairs() const = 0;         // queue pairs, at least 1
    // VIRTIO_NET_F_* of 5.1.3 that it can keep: checksums, segmentation. Others aren't its to say.
    virtual uint64_t features() const = 0;
    virtual uint16_t mtu() const = 0;  // 0: it doesn't say, and frames of 64 KiB may come
    virtual NetLosses losses() const { return {}; }

    // Whose frames these are from now on; one at a time, the last one counts. Nothing is watched yet.
    virtual void attach(NetListener& listener) = 0;
    // Nothing where another has attached since.
    virtual void detach(NetListener& listener) = 0;
    // What a driver has agreed to, and how many pairs it uses, 1 to pairs(): before its first frame, and
    // whenever it changes its mind.
    virtual void agree(uint64_t features, unsigned pairs) = 0;
    // Whether frames_waiting() is wanted: off while the guest gives no buffers, so that nothing spins and the
    // host's own queue fills up and drops.
    virtual void watch(unsigned pair, bool on) = 0;
    // How many frames to receive() in one turn of the loop; frames_waiting() comes again for others.
    virtual unsigned most_at_once() const { return 64; }

    // The next frame into `pieces`: its bytes with the header; -EAGAIN where there is none; another -errno.
    // Where a frame is larger than the pieces, what they hold, and the rest is lost: the device gives a byte
    // more than it has use for, and so finds out.
    virtual ssize_t receive(unsigned pair, std::span<const iovec> pieces) = 0;
    // One frame: its bytes with the header; -EAGAIN: keep it, room() follows; another -errno: it is lost.
    virtual ssize_t send(unsigned pair, std::span<const iovec> pieces) = 0;
    // No more of them for now: what send() has gathered goes out. After each run of send(), however it ended.
    virtual void flush(unsigned /*pair*/) {}
};

}  // namespace carrel
