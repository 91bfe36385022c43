#include "devices/virtio/vsock/vsock_hub.h"

#include <poll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstddef>
#include <utility>

#include "vmm/base/check.h"

namespace carrel::virtio {
namespace {

bool more_to_read(int fd) {
    int bytes = 0;
    return ::ioctl(fd, FIONREAD, &bytes) == 0 && bytes > 0;
}

// Whether the other end is closed for both directions.
bool hung_up(int fd) {
    pollfd one{fd, 0, 0};
    return ::poll(&one, 1, 0) == 1 && (one.revents & (POLLHUP | POLLERR)) != 0;
}

}  // namespace

bool VsockHub::waiting() const {
    MutexLock lock(mutex_);
    return !answers_.empty() || !due_.empty();
}

bool VsockHub::room() const {
    MutexLock lock(mutex_);
    return answers_.size() < kMostAnswers;
}

size_t VsockHub::connections() const {
    MutexLock lock(mutex_);
    return connections_.size();
}

// A driver that starts anew: what it was never told of may stay.
void VsockHub::forget(const VsockListener& listener) {
    MutexLock lock(mutex_);
    if (listener_ != &listener) return;
    answers_.clear();
    for (auto it = connections_.begin(); it != connections_.end();) {
        VsockConnection& connection = (it++)->second;
        const bool unknown = connection.state == VsockConnection::State::kGreeting ||
                             connection.state == VsockConnection::State::kOrphan || connection.request_due;
        if (!unknown) drop(connection);
    }
}

// --- from the guest

// 5.10.6.4: what belongs to no connection, or isn't possible, is answered by a reset, and resets never are.
void VsockHub::from_guest(const DescriptorChain& chain) {
    ChainReader reader(chain);
    const auto header = reader.get<VsockHeader>();
    // Addresses that aren't the sender's: there is nobody to answer.
    if (!header || header->src_cid != cid_) return;
    MutexLock lock(mutex_);
    const bool possible =
        header->dst_cid == kHostCid && header->type == kVsockTypeStream && header->len <= reader.remaining();
    if (!possible) return answer_reset(*header);
    handle(*header, reader);
}

void VsockHub::handle(const VsockHeader& header, ChainReader& reader) {
    using State = VsockConnection::State;
    VsockConnection* const connection = find(Ports{header.dst_port, header.src_port});
    if (header.op == kVsockRequest && connection == nullptr) return open_for_guest(header);
    if (connection == nullptr) return answer_reset(header);
    VsockConnection& one = *connection;
    one.peer_buffer = header.buf_alloc;
    one.peer_forwarded = header.fwd_cnt;
    if (one.credit() != 0) one.asked = false;
    const bool connected = one.state == State::kConnected;
    const bool asked = one.state == State::kRequested && one.requested;
    switch (header.op) {
        case kVsockReset: return drop(one);
        case kVsockResponse: return asked ? respond(one) : break_off(one);
        case kVsockShutdown: return shut_down(one, header.flags & kNeither);
        case kVsockData:
            if (one.state == State::kClosing) return;  // on its way before it knew
            return connected ? take(one, reader, header.len) : break_off(one);
        case kVsockCreditUpdate: break;
        case kVsockCreditRequest: one.credit_due = connected; break;
        default: return break_off(one);  // a request for ports in use, too
    }
    list(one);
    arm(one);
}

void VsockHub::open_for_guest(const VsockHeader& header) {
    if (connections_.size() >= kMostConnections || connecting_ >= kMostConnections)
        return answer_reset(header);
    VsockConnection& one = add();
    name(one, {header.dst_port, header.src_port});
    one.state = VsockConnection::State::kConnecting;
    one.peer_buffer = header.buf_alloc;
    one.peer_forwarded = header.fwd_cnt;
    ++connecting_;
    connector_->connect(path_ + "_" + std::to_string(header.dst_port),
                        [this, id = one.id](Result<Fd> fd) { on_connected(id, std::move(fd)); });
}

// The socket is new: so short a line always finds room in it.
void VsockHub::respond(VsockConnection& one) {
    const std::string line = "OK " + std::to_string(one.host_port) + "\n";
    const ssize_t done = ::send(one.fd.get(), line.data(), line.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
    if (done != static_cast<ssize_t>(line.size())) return break_off(one);
    one.state = VsockConnection::State::kConnected;
    list(one);
    arm(one);
}

// 5.10.6.5: after both, the ports are free at once; what the guest has sent is still written.
void VsockHub::shut_down(VsockConnection& one, uint32_t flags) {
    one.guest_done |= flags;
    if (one.state != VsockConnection::State::kConnected) return break_off(one);
    if (one.guest_done != kNeither) {
        if ((flags & kNoReceive) != 0) ::shutdown(one.fd.get(), SHUT_RD);
        return flushed(one);
    }
    reset_ports(one.host_port, one.guest_port);
    if (one.buffered() == 0) return drop(one);
    unname(one);
    unlist(one);
    one.state = VsockConnection::State::kOrphan;
    one.request_due = one.response_due = one.credit_due = one.question_due = false;
    arm(one);
}

// 5.10.6.3: a driver that sends more than it has credit for has broken the rules.
void VsockHub::take(VsockConnection& one, ChainReader& reader, uint32_t length) {
    const bool allowed =
        (one.guest_done & kNoSend) == 0 && length <= VsockConnection::kBuffer - one.buffered();
    if (!allowed || !one.take(reader, length)) return break_off(one);
    list(one);
    arm(one);
}

// Something was written, or there is nothing to write.
void VsockHub::flushed(VsockConnection& one) {
    if (one.buffered() == 0 && one.state == VsockConnection::State::kOrphan) return drop(one);
    if (one.buffered() == 0 && (one.guest_done & kNoSend) != 0) ::shutdown(one.fd.get(), SHUT_WR);
    list(one);
    arm(one);
}

// --- to the guest

uint32_t VsockHub::to_guest(const DescriptorChain& chain) {
    MutexLock lock(mutex_);
    if (chain.writable_bytes() < sizeof(VsockHeader)) return 0;
    VsockHeader header{};
    if (!answers_.empty()) {
        header = answers_.front();
        answers_.pop_front();
    } else {
        if (due_.empty()) return 0;
        VsockConnection* const one = find(due_.front());
        CHECK(one != nullptr);
        due_.pop_front();
        one->listed = false;
        header = next_header(*one, chain);
    }
    ChainWriter(chain).put(header);
    return static_cast<uint32_t>(sizeof header) + header.len;
}

// It may be gone afterwards.
VsockHeader VsockHub::next_header(VsockConnection& one, const DescriptorChain& chain) {
    if (!one.request_due && !one.response_due && !one.question_due && one.data_due())
        return read_data(one, chain);
    VsockOp op = kVsockCreditUpdate;
    if (std::exchange(one.request_due, false)) {
        one.requested = true;
        op = kVsockRequest;
    } else if (std::exchange(one.response_due, false)) {
        op = kVsockResponse;
    } else if (std::exchange(one.question_due, false)) {
        op = kVsockCreditRequest;
    }
    const VsockHeader header = header_of(one, op);
    list(one);
    arm(one);
    return header;
}

// Straight from the socket into the guest's memory.
VsockHeader VsockHub::read_data(VsockConnection& one, const DescriptorChain& chain) {
    std::array<iovec, 32> pieces;
    size_t count = 0;
    uint32_t left = one.credit(), skip = sizeof(VsockHeader);
    const WritablePieces room = chain.writable();
    for (const iovec& piece : room.iovecs()) {
        const auto before = static_cast<uint32_t>(std::min<size_t>(skip, piece.iov_len));
        skip -= before;
        const size_t length = std::min<size_t>(piece.iov_len - before, left);
        if (length == 0) continue;
        if (count == pieces.size()) break;
        pieces[count++] = {static_cast<std::byte*>(piece.iov_base) + before, length};
        left -= static_cast<uint32_t>(length);
    }
    VsockHeader header{};
    one.readable = one.hung_up;
    const ssize_t got = count == 0 ? 0 : ::readv(one.fd.get(), pieces.data(), static_cast<int>(count));
    if (count == 0 || (got < 0 && (errno == EAGAIN || errno == EINTR))) {
        header = header_of(one, kVsockCreditUpdate);  // a chain was taken, and this is never wrong
    } else if (got <= 0) {
        return end_of_data(one);
    } else {
        one.sent += static_cast<uint32_t>(got);
        one.readable = one.readable || more_to_read(one.fd.get());
        header = header_of(one, kVsockData);
        header.len = static_cast<uint32_t>(got);
    }
    list(one);
    arm(one);
    return header;
}

// 5.10.6.5: half of the connection, or all of it.
VsockHeader VsockHub::end_of_data(VsockConnection& one) {
    one.ended = true;
    one.hung_up = one.hung_up || hung_up(one.fd.get());
    VsockHeader header = header_of(one, kVsockShutdown);
    header.flags = one.hung_up ? kNeither : kNoSend;
    if (one.hung_up) {
        one.state = VsockConnection::State::kClosing;
        one.fd.reset();
        one.buffer.clear();
        one.written = 0;
    }
    list(one);
    arm(one);
    return header;
}

VsockHeader VsockHub::header_of(VsockConnection& one, VsockOp op) {
    one.told_forwarded = one.forwarded;
    one.credit_due = false;
    return {kHostCid,
            cid_,
            one.host_port,
            one.guest_port,
            0,
            kVsockTypeStream,
            op,
            0,
            VsockConnection::kBuffer,
            one.forwarded};
}

void VsockHub::answer_reset(const VsockHeader& to) {
    if (to.op == kVsockReset) return;
    answers_.push_back({to.dst_cid, cid_, to.dst_port, to.src_port, 0, to.type, kVsockReset, 0, 0, 0});
}

void VsockHub::reset_ports(uint32_t host_port, uint32_t guest_port) {
    answers_.push_back({kHostCid, cid_, host_port, guest_port, 0, kVsockTypeStream, kVsockReset, 0, 0, 0});
}

}  // namespace carrel::virtio
