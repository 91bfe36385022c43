// The ways out of the machine, and the power button that asks for one. See power_x86.h and acpi.h.
#include "lib/power_x86.h"

#include "lib/acpi.h"
#include "lib/cpu_x86.h"
#include "lib/interrupts_x86.h"
#include "lib/ioapic.h"
#include "lib/physical.h"

namespace guest {
namespace {

// ACPI 6.5, 4.8.4.1: PM1 status, enable and control registers.
constexpr std::uint16_t kPowerButton = 1u << 8;
constexpr std::uint16_t kSciEnable = 1u << 0;
constexpr std::uint16_t kSleepEnable = 1u << 13;
constexpr unsigned kSleepTypeShift = 10;

using PressedHandler = void (*)();
constinit PressedHandler on_pressed = nullptr;

void on_sci(InterruptFrame&) {
    if ((in16(acpi().pm1_event) & kPowerButton) == 0) return;
    out16(acpi().pm1_event, kPowerButton);  // write one to clear
    on_pressed();
}

// Machines with firmware start in legacy mode: SMI_CMD hands the event registers over. 4.8.3.3.
void take_over_from_firmware() {
    const auto smi_command = static_cast<std::uint16_t>(read_physical<std::uint32_t>(acpi().fadt + 48));
    if (smi_command == 0 || (in16(acpi().pm1_control) & kSciEnable) != 0) return;
    out8(smi_command, read_physical<std::uint8_t>(acpi().fadt + 52));
}

}  // namespace

void power_off() {
    out16(acpi().pm1_control,
          static_cast<std::uint16_t>(kSleepEnable | acpi().sleep_type_s5 << kSleepTypeShift));
    halt_forever();
}

void reset_by_acpi() {
    out8(acpi().reset_port, acpi().reset_value);
    halt_forever();
}

void reset_by_keyboard() {
    out8(0x64, 0xfe);
    halt_forever();
}

void triple_fault() {
    struct [[gnu::packed]] {
        std::uint16_t limit = 0;
        std::uint64_t base = 0;
    } const empty;
    asm volatile("lidt %0\n\tud2" : : "m"(empty));
    halt_forever();
}

void power_button_enable(void (*pressed)()) {
    on_pressed = pressed;
    if (acpi().fadt != 0) take_over_from_firmware();
    set_handler(kSciVector, on_sci);
    ioapic_route_isa(acpi().sci_irq, kSciVector);
    const auto enable = static_cast<std::uint16_t>(acpi().pm1_event + acpi().pm1_event_length / 2);
    out16(enable, kPowerButton);
}

}  // namespace guest
