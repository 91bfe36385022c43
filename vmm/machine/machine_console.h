// MachineConsole: what a guest prints, on its way to a person, with an eye on panics.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "devices/backends/console_handover.h"
#include "vmm/base/byte_sink.h"
#include "vmm/base/mutex.h"
#include "vmm/observe/panic_watch.h"

namespace carrel {

// Any thread.
class MachineConsole {
  public:
    // `to` outlives it. `two`: the machine has a virtio console, which takes over from its UARTs. `on_panic`:
    // a kernel has said so and is at its end; may come again.
    MachineConsole(ByteSink& to, bool two, std::function<void(std::string message)> on_panic);

    ByteSink& uarts() { return uarts_; }
    ByteSink& virtio() { return virtio_; }
    // The kernel is told printk.time=0. Before the guest runs.
    void expect_no_stamps();
    // The words of a kernel that panics, if one has.
    std::optional<std::string> panic() const;

  private:
    class Tap final : public ByteSink {
      public:
        Tap(ByteSink& to, const std::function<void(std::string)>& on_panic) : to_(to), on_panic_(on_panic) {}
        void write(std::span<const std::byte> bytes) override EXCLUDES(mutex_);
        observe::PanicWatch watch;

      private:
        ByteSink& to_;
        const std::function<void(std::string)>& on_panic_;
        Mutex mutex_;  // two UARTs write to one
    };

    const std::function<void(std::string)> on_panic_;
    const std::unique_ptr<ConsoleHandover> handover_;  // null: there is one
    Tap uarts_;
    Tap virtio_;
};

}  // namespace carrel
