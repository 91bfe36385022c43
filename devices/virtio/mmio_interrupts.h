// MmioInterrupts: the one interrupt of a virtio-mmio device. VIRTIO 1.3, sections 4.2.2 (InterruptStatus,
// InterruptACK) and 4.2.3.4: its line is up as long as a bit of the status is set.
#pragma once

#include <cstdint>
#include <memory>

#include "vmm/base/bytes.h"
#include "vmm/base/mutex.h"
#include "vmm/bus/irq_line.h"

namespace carrel::virtio {

// Any thread. Its mutex is the last in the order of locks.
class MmioInterrupts {
  public:
    enum Cause : uint8_t { kUsedBuffer = 1, kConfigChange = 2 };

    explicit MmioInterrupts(std::unique_ptr<IrqLine> line) : line_(std::move(line)) {}

    void signal(Cause cause) EXCLUDES(mutex_);
    uint8_t status() const EXCLUDES(mutex_);
    void acknowledge(uint32_t causes) EXCLUDES(mutex_);

    void reset() EXCLUDES(mutex_);
    void save(ByteWriter& writer) const EXCLUDES(mutex_);
    void restore(ByteReader& part) EXCLUDES(mutex_);

  private:
    void set(uint8_t status) REQUIRES(mutex_);

    mutable Mutex mutex_;
    const std::unique_ptr<IrqLine> line_;
    uint8_t status_ GUARDED_BY(mutex_) = 0;
};

}  // namespace carrel::virtio
