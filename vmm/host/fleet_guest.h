// FleetGuest: a guest as its fleet sees it, wherever it runs: in this process (guest.h), or in one of its own
// (vmm/isolate).
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "vmm/base/fd.h"
#include "vmm/host/console_transcript.h"
#include "vmm/host/guest_event.h"
#include "vmm/host/guest_stats.h"

namespace carrel {

class Machine;

// A guest's console for one who attaches.
struct ConsoleEnds {
    std::shared_ptr<ConsoleTranscript> transcript;
    Fd typing;  // doesn't block
};

// On the io thread, or before it runs. Whether a verb makes sense in the state is asked before
// (verb_table.h). `done` is told on the io thread, maybe at once.
class FleetGuest {
  public:
    using Done = std::function<void(Result<void>)>;

    virtual ~FleetGuest() = default;

    // Makes its machine.
    virtual void load(Done done) = 0;
    virtual void start(Done done) = 0;
    virtual void pause(Done done) = 0;
    // `clocks_ran`: its clocks show the host's time again, as if they had never stopped. It goes on even
    // where they couldn't be set.
    virtual void resume(bool clocks_ran, Done done) = 0;
    // Presses the power button, and ends the run where that hasn't within `patience`.
    virtual void stop(Nanoseconds patience) = 0;
    // Ends the run, whatever its machine does meanwhile.
    virtual void end(MachineEnd end) = 0;
    // Of what may change while it has a machine, that machine is told.
    virtual void change(const MachineConfig& config) = 0;
    // It doesn't run: gives its machine up, then calls `done`.
    virtual void dismantle(std::function<void()> done) = 0;

    virtual GuestState state() const = 0;
    virtual GuestInfo info() const = 0;
    virtual const MachineConfig& config() const = 0;
    virtual bool has_machine() const = 0;
    // A halted vCPU is asked how long it has been so, which takes a millisecond. It may have gone until then.
    virtual void stats(std::function<void(Result<GuestStats>)> done) = 0;
    virtual Result<ConsoleEnds> console_ends() = 0;

    // Of one in this process: its machine, and word that a page of guest memory couldn't be had.
    virtual const Machine* own_machine() const { return nullptr; }
    virtual void check_memory() {}
};

// What a guest tells its host: on the io thread, the change being done. Don't destroy the guest inside.
class GuestListener {
  public:
    virtual ~GuestListener() = default;
    virtual void on_change(const FleetGuest& guest, GuestEvent::Kind kind, const std::string& detail) = 0;
};

}  // namespace carrel
