#include "devices/virtio/queue/descriptor_chain.h"

#include <utility>

#include "devices/virtio/queue/virt_queue.h"
#include "vmm/base/check.h"

namespace carrel::virtio {

DescriptorChain::DescriptorChain(DescriptorChain&& other) noexcept
    : queue_(other.queue_), slot_(std::exchange(other.slot_, nullptr)) {}

DescriptorChain& DescriptorChain::operator=(DescriptorChain&& other) noexcept {
    CHECK(slot_ == nullptr);
    queue_ = other.queue_;
    slot_ = std::exchange(other.slot_, nullptr);
    return *this;
}

DescriptorChain::~DescriptorChain() {
    CHECK_MSG(slot_ == nullptr, "a descriptor chain was dropped, neither completed nor abandoned");
}

uint16_t DescriptorChain::head() const {
    return slot_->id;
}
ReadablePieces DescriptorChain::readable() const {
    return ReadablePieces(slot_->readable());
}
WritablePieces DescriptorChain::writable() const {
    return WritablePieces(slot_->writable());
}
uint32_t DescriptorChain::readable_bytes() const {
    return slot_->readable_bytes;
}
uint32_t DescriptorChain::writable_bytes() const {
    return slot_->writable_bytes;
}

void DescriptorChain::wrote(std::span<const std::byte> bytes) const {
    queue_->memory_.wrote(bytes);
}

ChainSlot& DescriptorChain::end() {
    CHECK_MSG(slot_ != nullptr, "a descriptor chain ended twice");
    return *std::exchange(slot_, nullptr);
}

void DescriptorChain::complete(uint32_t written) {
    queue_->complete(end(), written);
}
void DescriptorChain::put_back() {
    queue_->put_back(end());
}
void DescriptorChain::abandon() {
    queue_->abandon(end());
}

}  // namespace carrel::virtio
