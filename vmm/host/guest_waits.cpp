// Guest: a pause, and its machine's end. Both wait for what its devices have begun, which the io thread
// mustn't: it looks again each kLookAgain.
#include <utility>

#include "vmm/host/guest.h"

namespace carrel {

void Guest::pause(Done done) {
    pausing_ = std::move(done);
    wait_until_it_stands();
}

// A disk that doesn't answer keeps only its own guest: the others' io thread looks again later.
void Guest::wait_until_it_stands() {
    auto stands = machine_->pause();
    if (!stands.ok()) return end_pausing(std::move(stands).error());
    if (*stands) return end_pausing({});
    look_again_ = services_.io.after(kLookAgain, [this] {
        look_again_ = 0;
        wait_until_it_stands();
    });
    if (std::exchange(told_pausing_, true)) return;
    tell(GuestEvent::Kind::kPausing);
}

void Guest::end_pausing(Result<void> stands) {
    if (!pausing_) return;
    if (look_again_ != 0) services_.io.cancel(std::exchange(look_again_, 0));
    const Done done = std::exchange(pausing_, nullptr);
    const bool told = std::exchange(told_pausing_, false);
    paused_ = stands.ok();
    if (paused_)
        tell(GuestEvent::Kind::kPaused);
    else if (told && !machine_->ended())
        tell(GuestEvent::Kind::kResumed, stands.error().sentence());
    done(std::move(stands));
}

void Guest::resume(bool clocks_ran, Done done) {
    paused_ = false;
    auto resumed = machine_->resume(clocks_ran);
    tell(GuestEvent::Kind::kResumed);
    done(std::move(resumed));
}

void Guest::on_machine_end() {
    if (!machine_) return;
    machine_->stop();
    end_pausing(host_error(name() + " has ended"));
    if (machine_->abandon_io(Machine::kFirstWait)) return leave_machine();
    leaving_ = true;
    why_ = "it has ended, and its disks are waited for";
    tell(GuestEvent::Kind::kStopping, why_);
    wait_for_io(services_.clock.now() + Machine::kPatience);
}

// They may still write where its memory is. Waited for as by a pause.
void Guest::wait_for_io(Nanoseconds deadline) {
    if (machine_->abandon_io(0) || services_.clock.now() >= deadline) return leave_machine();
    look_again_ = services_.io.after(kLookAgain, [this, deadline] {
        look_again_ = 0;
        wait_for_io(deadline);
    });
}

}  // namespace carrel
