// IrqPins: the interrupt inputs of the chips in KVM. Each is a wire that several devices may pull up, as
// PCI's INTx and virtio-mmio's lines are: it is up as long as one of them holds it. KVM itself keeps one
// level for all of userspace, so a device that let go would take another one's interrupt along.
#pragma once

#include <array>
#include <cstdint>
#include <memory>

#include "vmm/base/mutex.h"
#include "vmm/bus/irq_line.h"
#include "vmm/model/address_map_x86.h"

namespace carrel::kvm {

class IrqPins {
  public:
    explicit IrqPins(int vm) : vm_(vm) {}
    IrqPins(const IrqPins&) = delete;
    IrqPins& operator=(const IrqPins&) = delete;

    // One device's hold on a pin of the IOAPIC. This outlives it.
    std::unique_ptr<IrqLine> line(uint32_t gsi);

  private:
    class Line;
    struct Pin {
        Mutex mutex;  // the last in the order of locks
        unsigned holders GUARDED_BY(mutex) = 0;
    };
    void hold(uint32_t gsi);
    void let_go(uint32_t gsi);
    void set(uint32_t gsi, bool level) const;

    const int vm_;
    std::array<Pin, address_map::kIoApicPins> pins_;
};

}  // namespace carrel::kvm
