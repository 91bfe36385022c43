// The I/O APIC (Intel 82093AA datasheet): routes a global system interrupt to a vector of this CPU.
#pragma once
#include <cstdint>

namespace guest {

struct Trigger {
    bool level = false;
    bool active_low = false;
};

void ioapic_route(unsigned gsi, unsigned vector, Trigger trigger);
// An ISA interrupt, by the MADT's overrides: another GSI, level, active low.
void ioapic_route_isa(unsigned irq, unsigned vector);
void ioapic_mask(unsigned gsi);
unsigned ioapic_inputs();

}  // namespace guest
