// VsockConnection: one stream between a port of the guest's and a Unix socket of the host's.
#pragma once

#include <sys/uio.h>

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "devices/virtio/queue/chain_io.h"
#include "devices/virtio/vsock/vsock_format.h"
#include "vmm/base/fd.h"

namespace carrel::virtio {

// Plain, and without a lock: it is the hub's. What is due to the guest is a flag, never a list, so that no
// peer can make it grow.
struct VsockConnection {
    enum class State {
        kGreeting,    // the host's program hasn't said which port yet; the guest knows nothing of it
        kRequested,   // the guest is asked, or will be
        kConnecting,  // the guest has asked; the host's program isn't reached yet, and there is no fd
        kConnected,
        kClosing,  // the host's side is gone; the guest is told, and confirms by a reset
        kOrphan,   // the guest's side is gone; what it sent is still to be written
    };
    // What a driver may have sent that the host's program hasn't taken.
    static constexpr uint32_t kBuffer = 128 * 1024;
    static constexpr size_t kLongestGreeting = 32;

    // 5.10.6.3: what the guest has room for. Its counters wrap at 2^32; one that claims to have forwarded
    // more than was sent gets nothing.
    uint32_t credit() const {
        const uint32_t under_way = sent - peer_forwarded;
        return under_way < peer_buffer ? peer_buffer - under_way : 0;
    }
    bool wants_data() const { return state == State::kConnected && !ended && (guest_done & kNoReceive) == 0; }
    bool data_due() const { return readable && wants_data() && credit() != 0; }
    bool due() const { return request_due || response_due || credit_due || question_due || data_due(); }
    // What epoll shall tell.
    uint32_t interest() const;

    size_t buffered() const { return buffer.size() - written; }
    // `length` bytes from the guest, which fit the buffer, straight to the socket where it takes them.
    // False: the host's side is gone.
    bool take(ChainReader& reader, uint32_t length);
    // Writes what is buffered. False as above.
    bool flush();

    uint64_t id = 0;
    State state = State::kGreeting;
    Fd fd;  // none where it is closing
    uint32_t host_port = 0, guest_port = 0;
    std::string greeting;

    // Towards the guest.
    uint32_t sent = 0, peer_forwarded = 0, peer_buffer = 0;
    bool request_due = false, response_due = false, credit_due = false, question_due = false;
    bool requested = false;  // the request has been sent
    bool asked = false;      // for credit, since it had any
    bool readable = false;   // epoll said so, or that the other side is gone
    bool ended = false;      // the host's program sends no more, and the guest knows
    bool listed = false;     // among those with something due

    // From the guest.
    uint32_t forwarded = 0, told_forwarded = 0;
    uint32_t guest_done = 0;  // kNoReceive, kNoSend
    std::vector<std::byte> buffer;
    size_t written = 0;  // of it

    int64_t armed = -1;    // what epoll watches now; -1: nothing, it has told
    bool hung_up = false;  // both directions are closed at the other end

  private:
    void count(size_t bytes);
};

}  // namespace carrel::virtio
