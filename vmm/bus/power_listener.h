// PowerListener: what a guest may ask of the machine as a whole.
#pragma once

namespace carrel {

// Called by devices on a vCPU thread, possibly with their mutex held: only notes the wish and kicks, never
// waits.
class PowerListener {
  public:
    virtual ~PowerListener() = default;
    virtual void on_power_off() = 0;  // ACPI S5
    virtual void on_reset() = 0;      // reset register, 8042
};

}  // namespace carrel
