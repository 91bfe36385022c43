#include "vmm/kvm/irq_pins.h"

#include <linux/kvm.h>

#include "vmm/base/check.h"
#include "vmm/kvm/ioctl.h"

namespace carrel::kvm {

// Remembers the level, so that a line that doesn't change costs nothing. Devices call it under their mutex.
class IrqPins::Line final : public IrqLine {
  public:
    Line(IrqPins& pins, uint32_t gsi) : pins_(pins), gsi_(gsi) {}
    Line(const Line&) = delete;
    Line& operator=(const Line&) = delete;
    ~Line() override {
        if (level_) pins_.let_go(gsi_);
    }
    void set(bool level) override {
        if (level == level_) return;
        level_ = level;
        if (level)
            pins_.hold(gsi_);
        else
            pins_.let_go(gsi_);
    }

  private:
    IrqPins& pins_;
    const uint32_t gsi_;
    bool level_ = false;
};

std::unique_ptr<IrqLine> IrqPins::line(uint32_t gsi) {
    CHECK(gsi < pins_.size());
    return std::make_unique<Line>(*this, gsi);
}

void IrqPins::hold(uint32_t gsi) {
    Pin& pin = pins_[gsi];
    MutexLock lock(pin.mutex);
    if (pin.holders++ == 0) set(gsi, true);
}

void IrqPins::let_go(uint32_t gsi) {
    Pin& pin = pins_[gsi];
    MutexLock lock(pin.mutex);
    if (--pin.holders == 0) set(gsi, false);
}

void IrqPins::set(uint32_t gsi, bool level) const {
    kvm_irq_level line{};
    line.irq = gsi;
    line.level = level ? 1 : 0;
    retry_ioctl(vm_, KVM_IRQ_LINE, &line);  // fails for a GSI without a route only: ours have one
}

}  // namespace carrel::kvm
