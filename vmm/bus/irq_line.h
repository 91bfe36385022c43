// IrqLine: one interrupt input of the machine, seen from a device.
#pragma once

namespace carrel {

// The level of the line; the chip behind it (in KVM) knows whether edge or level counts. Any thread; may be
// called with the device's mutex held; doesn't block. Setting the level it has already costs nothing.
class IrqLine {
  public:
    virtual ~IrqLine() = default;
    virtual void set(bool level) = 0;
};

}  // namespace carrel
