#include "devices/virtio/pci_interrupts.h"

#include <algorithm>
#include <utility>

namespace carrel::virtio {

PciInterrupts::PciInterrupts(pci::Msix messages, std::unique_ptr<IrqLine> inta, uint16_t queues)
    : msix_(std::move(messages)), inta_(std::move(inta)), queue_vectors_(queues, kNoVector) {}

// 4.1.5.3: with MSI-X the ISR status isn't needed, and nobody reads it.
void PciInterrupts::raise(uint8_t cause, uint16_t vector) {
    if (msix_.enabled()) return msix_.signal(vector);
    isr_ |= cause;
    update_inta();
}

void PciInterrupts::update_inta() {
    inta_->set(isr_ != 0 && !intx_disabled_ && !msix_.enabled());
}

void PciInterrupts::signal_queue(uint16_t queue) {
    MutexLock lock(mutex_);
    raise(kQueue, queue_vectors_[queue]);
}

void PciInterrupts::signal_config() {
    MutexLock lock(mutex_);
    raise(kConfig, config_vector_);
}

uint16_t PciInterrupts::existing(uint16_t vector) const {
    return vector < msix_.vectors() ? vector : kNoVector;
}

void PciInterrupts::set_queue_vector(uint16_t queue, uint16_t vector) {
    MutexLock lock(mutex_);
    if (queue < queue_vectors_.size()) queue_vectors_[queue] = existing(vector);
}

void PciInterrupts::set_config_vector(uint16_t vector) {
    MutexLock lock(mutex_);
    config_vector_ = existing(vector);
}

uint16_t PciInterrupts::queue_vector(uint16_t queue) const {
    MutexLock lock(mutex_);
    return queue < queue_vectors_.size() ? queue_vectors_[queue] : kNoVector;
}

uint16_t PciInterrupts::config_vector() const {
    MutexLock lock(mutex_);
    return config_vector_;
}

uint8_t PciInterrupts::take_isr() {
    MutexLock lock(mutex_);
    const uint8_t isr = std::exchange(isr_, uint8_t{0});
    update_inta();
    return isr;
}

bool PciInterrupts::intx_pending() const {
    MutexLock lock(mutex_);
    return isr_ != 0 && !msix_.enabled();
}

std::optional<pci::Msix::Route> PciInterrupts::next_route(uint16_t from) const {
    MutexLock lock(mutex_);
    return msix_.next_route(from);
}

// Each vector once. Whoever changes one meanwhile comes here next.
void PciInterrupts::route_changes() {
    for (auto route = next_route(0); route; route = next_route(static_cast<uint16_t>(route->vector + 1))) {
        const bool good = route->line->route(route->message).ok();
        MutexLock lock(mutex_);
        msix_.routed(*route, good);
    }
}

void PciInterrupts::configure(uint16_t message_control, bool intx_disabled) {
    MutexLock routing(routing_);
    {
        MutexLock lock(mutex_);
        intx_disabled_ = intx_disabled;
        msix_.set_control(message_control);
        update_inta();
    }
    route_changes();
}

void PciInterrupts::read_table(uint64_t offset, std::span<std::byte> data) const {
    MutexLock lock(mutex_);
    msix_.read_table(offset, data);
}

void PciInterrupts::write_table(uint64_t offset, std::span<const std::byte> data) {
    MutexLock routing(routing_);
    {
        MutexLock lock(mutex_);
        msix_.write_table(offset, data);
    }
    route_changes();
}

void PciInterrupts::read_pending(uint64_t offset, std::span<std::byte> data) const {
    MutexLock lock(mutex_);
    msix_.read_pending(offset, data);
}

void PciInterrupts::forget() {
    std::ranges::fill(queue_vectors_, kNoVector);
    config_vector_ = kNoVector;
    isr_ = 0;
    update_inta();
}

void PciInterrupts::reset_device() {
    MutexLock lock(mutex_);
    forget();
}

void PciInterrupts::reset() {
    MutexLock routing(routing_);
    std::vector<MessageInterrupt*> lines;
    {
        MutexLock lock(mutex_);
        msix_.reset();
        intx_disabled_ = false;
        forget();
        for (uint16_t vector = 0; vector < msix_.vectors(); ++vector) lines.push_back(&msix_.line(vector));
    }
    for (MessageInterrupt* const line : lines) line->unroute();
}

void PciInterrupts::save(ByteWriter& writer) const {
    MutexLock lock(mutex_);
    msix_.save(writer);
    for (const uint16_t vector : queue_vectors_) writer.put(vector);
    writer.put(config_vector_);
    writer.put(isr_);
}

void PciInterrupts::restore(ByteReader& part, uint16_t message_control, bool intx_disabled) {
    MutexLock routing(routing_);
    {
        MutexLock lock(mutex_);
        msix_.restore(part, message_control);
        for (uint16_t& vector : queue_vectors_) vector = existing(part.get<uint16_t>());
        config_vector_ = existing(part.get<uint16_t>());
        isr_ = part.get<uint8_t>() & (kQueue | kConfig);
        intx_disabled_ = intx_disabled;
        update_inta();
    }
    route_changes();
}

}  // namespace carrel::virtio
