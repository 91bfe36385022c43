// The local APIC of this CPU (Intel SDM vol. 3, chapter 11): x2APIC where CPUID has it, else the page at
// 0xfee00000.
#pragma once
#include <cstdint>

namespace guest {

// Register numbers, Intel SDM vol. 3, table 11-6: x2APIC MSR 0x800 + number, xAPIC offset 16 * number.
enum class ApicRegister : std::uint32_t {
    kId = 0x02,
    kVersion = 0x03,
    kTaskPriority = 0x08,
    kEndOfInterrupt = 0x0b,
    kSpurious = 0x0f,
    kErrorStatus = 0x28,
    kCommand = 0x30,
    kLvtTimer = 0x32,
    kLvtLint0 = 0x35,
    kTimerInitial = 0x38,
    kTimerCurrent = 0x39,
    kTimerDivide = 0x3e,
};

// Once on each CPU. Chooses the mode by CPUID, the same on all CPUs.
void local_apic_enable();
bool local_apic_is_x2();
std::uint32_t local_apic_id();
std::uint32_t local_apic_read(ApicRegister reg);
void local_apic_write(ApicRegister reg, std::uint32_t value);
void local_apic_end_of_interrupt();

void send_ipi(std::uint32_t apic_id, unsigned vector);
void send_init(std::uint32_t apic_id);
void send_startup(std::uint32_t apic_id, unsigned page);  // starts at physical page << 12

// The local timer. Counts are in timer ticks (divided by 1), deadlines in TSC ticks.
bool timer_has_deadline();
void timer_deadline(unsigned vector, std::uint64_t tsc);
void timer_one_shot(unsigned vector, std::uint32_t count);
void timer_periodic(unsigned vector, std::uint32_t count);
void timer_stop();

}  // namespace guest
