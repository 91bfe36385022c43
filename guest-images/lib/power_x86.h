// The ways out of the machine.
#pragma once
#include <cstdint>

namespace guest {

[[noreturn]] void power_off();          // ACPI S5
[[noreturn]] void reset_by_acpi();      // FADT's reset register, port 0xcf9 here
[[noreturn]] void reset_by_keyboard();  // 8042 command 0xfe
[[noreturn]] void triple_fault();       // an exception with an empty interrupt table

}  // namespace guest
