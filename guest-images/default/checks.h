// The default guest's checks of its own machine: one line each, `check NAME: ok ...` or `check NAME: FAILED
// ...`.
#pragma once

namespace guest {

// Runs all of them; the number that failed. Interrupts must be off.
unsigned check_machine();
// How many CPUs answered in check_machine.
unsigned running_cpus();

}  // namespace guest
