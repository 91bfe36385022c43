// PanicListener: told by a device through which a guest's kernel says that it has panicked.
#pragma once

namespace carrel {

// Any vCPU thread; a device's mutex may be held.
class PanicListener {
  public:
    virtual ~PanicListener() = default;
    virtual void on_panic() = 0;
    // It has panicked, and a crash kernel takes over (kdump): it isn't at its end.
    virtual void on_crash_kernel() = 0;
};

}  // namespace carrel
