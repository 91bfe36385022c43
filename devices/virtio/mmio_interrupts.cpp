#include "devices/virtio/mmio_interrupts.h"

namespace carrel::virtio {

void MmioInterrupts::set(uint8_t status) {
    status_ = status;
    line_->set(status != 0);
}

void MmioInterrupts::signal(Cause cause) {
    MutexLock lock(mutex_);
    set(status_ | cause);
}

uint8_t MmioInterrupts::status() const {
    MutexLock lock(mutex_);
    return status_;
}

void MmioInterrupts::acknowledge(uint32_t causes) {
    MutexLock lock(mutex_);
    set(static_cast<uint8_t>(status_ & ~causes));
}

void MmioInterrupts::reset() {
    MutexLock lock(mutex_);
    set(0);
}

void MmioInterrupts::save(ByteWriter& writer) const {
    MutexLock lock(mutex_);
    writer.put(status_);
}

void MmioInterrupts::restore(ByteReader& part) {
    MutexLock lock(mutex_);
    set(part.get<uint8_t>() & (kUsedBuffer | kConfigChange));
}

}  // namespace carrel::virtio
