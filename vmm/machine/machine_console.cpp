#include "vmm/machine/machine_console.h"

namespace carrel {

MachineConsole::MachineConsole(ByteSink& to, bool two, std::function<void(std::string)> on_panic)
    : on_panic_(std::move(on_panic)),
      handover_(two ? std::make_unique<ConsoleHandover>(to) : nullptr),
      uarts_(two ? handover_->first() : to, on_panic_),
      virtio_(two ? handover_->second() : to, on_panic_) {}

void MachineConsole::expect_no_stamps() {
    uarts_.watch.expect_no_stamps();
    virtio_.watch.expect_no_stamps();
}

std::optional<std::string> MachineConsole::panic() const {
    for (const Tap* tap : {&uarts_, &virtio_})
        if (tap->watch.panic_line_seen()) return tap->watch.message();
    return std::nullopt;
}

void MachineConsole::Tap::write(std::span<const std::byte> bytes) {
    MutexLock lock(mutex_);
    to_.write(bytes);
    watch.write(bytes);
    if (watch.panic_ended()) on_panic_(watch.message());
}

}  // namespace carrel
