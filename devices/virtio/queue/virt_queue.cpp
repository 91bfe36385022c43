#include "devices/virtio/queue/virt_queue.h"

#include <algorithm>
#include <utility>

#include "devices/virtio/queue/ring_access.h"
#include "vmm/base/check.h"

namespace carrel::virtio {
namespace {

std::variant<SplitRing, PackedRing> make_ring(GuestMemory& memory, const QueueFeatures& features,
                                              QueueState& state) {
    if (features.packed) return PackedRing(memory, features, state);
    return SplitRing(memory, features, state);
}

}  // namespace

VirtQueue::Opened VirtQueue::open(GuestMemory& memory, const QueueState& state,
                                  const QueueFeatures& features) {
    CHECK(state.ready);
    if (!QueueState::valid_size(state.size, features.packed))
        return QueueError{"the queue's size is 0, too large, or no power of two"};
    auto queue = std::make_unique<VirtQueue>(memory, state, features);
    if (const Complaint complaint = queue->map()) return QueueError{complaint};
    return queue;
}

VirtQueue::VirtQueue(GuestMemory& memory, const QueueState& state, const QueueFeatures& features)
    : memory_(memory),
      features_(features),
      state_(state),
      ring_(make_ring(memory, features_, state_)),
      builder_(memory, state.size, features.writes),
      slots_(state.size) {
    if (state_.broken) complaint_ = "the queue was broken when it was saved";
}

VirtQueue::~VirtQueue() {
    CHECK_MSG(in_flight() == 0, "a queue was closed with chains in flight");
}

Complaint VirtQueue::map() {
    return std::visit(
        [this](auto& ring) -> Complaint {
            if (const Complaint complaint = ring.map()) return complaint;
            ring.set_notifications(state_.notifications);
            return nullptr;
        },
        ring_);
}

PopResult VirtQueue::pop() {
    if (state_.broken) return QueueError{complaint_};
    builder_.begin();
    const auto room = static_cast<uint16_t>(state_.size - out_);
    const Found found = std::visit([&](auto& ring) { return ring.find(builder_, room); }, ring_);
    switch (found.kind) {
        case Found::kNothing: return Empty{};
        case Found::kChain: return deliver(found);
        case Found::kMalformed:
            if (found.complaint != ChainBuilder::kNoMemory) return give_back_malformed(found);
            builder_.drop();
            return NoMemory{};
        case Found::kBroken: break;
    }
    builder_.drop();
    return break_down(found.complaint);
}

PopResult VirtQueue::deliver(const Found& found) {
    const auto pieces = builder_.pieces();
    ChainSlot* const slot = slots_.take(pieces);
    if (slot == nullptr) {
        builder_.drop();
        return Busy{};
    }
    slot->id = found.id;
    slot->descriptors = found.descriptors;
    slot->place = state_.next_avail;
    slot->readable_count = builder_.readable_pieces();
    slot->writable_count = static_cast<uint16_t>(pieces.size() - slot->readable_count);
    slot->readable_bytes = builder_.readable_bytes();
    slot->writable_bytes = builder_.writable_bytes();
    std::visit([&](auto& ring) { ring.take(found); }, ring_);
    out_ = static_cast<uint16_t>(out_ + found.descriptors);
    return DescriptorChain(*this, *slot);
}

// DESIGN.md section 6, rule 4: every chain goes back.
PopResult VirtQueue::give_back_malformed(const Found& found) {
    builder_.drop();
    std::visit([&](auto& ring) { ring.take(found); }, ring_);
    out_ = static_cast<uint16_t>(out_ + found.descriptors);
    put_used(found.id, found.descriptors, 0);
    return Malformed{found.id, found.complaint};
}

QueueError VirtQueue::break_down(Complaint complaint) {
    state_.broken = true;
    complaint_ = complaint;
    return QueueError{complaint};
}

void VirtQueue::put_used(uint16_t id, uint16_t descriptors, uint32_t written) {
    if (state_.broken) return;
    std::visit([&](auto& ring) { ring.put_used(id, descriptors, written); }, ring_);
    used_ = static_cast<uint16_t>(used_ + descriptors);
}

void VirtQueue::publish() {
    if (used_ == 0 || state_.broken) return;
    if (std::visit([&](auto& ring) { return ring.publish(used_); }, ring_)) state_.interrupt_due = true;
    out_ = static_cast<uint16_t>(out_ - used_);
    used_ = 0;
}

uint16_t VirtQueue::available() const {
    const uint16_t said = std::visit([](const auto& ring) { return ring.available(); }, ring_);
    return std::min(said, size());
}

bool VirtQueue::should_interrupt() {
    return std::exchange(state_.interrupt_due, false);
}

bool VirtQueue::enable_notifications() {
    if (state_.broken) return false;
    state_.notifications = true;
    return std::visit(
        [](auto& ring) {
            ring.set_notifications(true);
            full_fence();  // 2.7.13.4, 2.8.21.2: the driver does it the other way round
            return ring.more_available();
        },
        ring_);
}

void VirtQueue::disable_notifications() {
    if (state_.broken || !state_.notifications) return;
    state_.notifications = false;
    std::visit([](auto& ring) { ring.set_notifications(false); }, ring_);
}

const QueueState& VirtQueue::state() const {
    CHECK_MSG(in_flight() == 0, "a queue can't be saved with chains in flight");
    CHECK_MSG(used_ == 0 || state_.broken, "a queue can't be saved before publish()");
    return state_;
}

void VirtQueue::close_windows(const ChainSlot& slot, uint32_t written) {
    for (const iovec& piece : slot.readable())
        memory_.finish_read({static_cast<std::byte*>(piece.iov_base), piece.iov_len});
    if (!features_.writes) return;
    for (const iovec& piece : slot.writable()) {
        const size_t part = std::min<size_t>(piece.iov_len, written);
        memory_.finish({static_cast<std::byte*>(piece.iov_base), piece.iov_len}, part);
        written -= static_cast<uint32_t>(part);
    }
}

void VirtQueue::complete(ChainSlot& slot, uint32_t written) {
    CHECK_MSG(written <= slot.writable_bytes, "more was written than the chain has room for");
    close_windows(slot, written);  // before the used index tells that the data is there
    put_used(slot.id, slot.descriptors, written);
    slots_.give_back(slot);
}

void VirtQueue::put_back(ChainSlot& slot) {
    const bool last =
        !state_.broken &&
        std::visit([&](auto& ring) { return ring.untake(slot.place, slot.descriptors); }, ring_);
    if (!last) return complete(slot, 0);
    close_windows(slot, 0);
    out_ = static_cast<uint16_t>(out_ - slot.descriptors);
    slots_.give_back(slot);
}

void VirtQueue::abandon(ChainSlot& slot) {
    close_windows(slot, slot.writable_bytes);  // nobody knows how much of it the device had written
    slots_.give_back(slot);
    if (!state_.broken) break_down("the queue is being reset");
}

}  // namespace carrel::virtio
