// Kick: makes a vCPU leave KVM_RUN soon. How the scheduler and devices reach a vCPU without knowing KVM.
#pragma once

namespace carrel {

class Kick {
  public:
    virtual ~Kick() = default;
    // Any thread, also a signal handler. The vCPU's thread comes out of guest mode within microseconds; a
    // kick before it went in is not lost.
    virtual void kick() = 0;
};

}  // namespace carrel
