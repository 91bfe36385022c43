// Local APIC driver. See apic_x86.h.
#include "lib/apic_x86.h"

#include "lib/cpu_x86.h"
#include "lib/interrupts_x86.h"
#include "lib/physical.h"

namespace guest {
namespace {

constexpr std::uint64_t kXapicBase = 0xfee00000;
constexpr std::uint32_t kX2apicMsr = 0x800;
constexpr std::uint32_t kMsrApicBase = 0x1b;
constexpr std::uint64_t kApicBaseEnable = 1u << 11;
constexpr std::uint64_t kApicBaseX2 = 1u << 10;
constexpr std::uint32_t kMsrTscDeadline = 0x6e0;
constexpr std::uint32_t kCpuidX2apic = 1u << 21;       // CPUID.1:ECX
constexpr std::uint32_t kCpuidTscDeadline = 1u << 24;  // CPUID.1:ECX
constexpr std::uint32_t kSoftwareEnable = 1u << 8;     // spurious-interrupt vector register
constexpr std::uint32_t kLvtMasked = 1u << 16;
constexpr std::uint32_t kLvtPeriodic = 1u << 17;
constexpr std::uint32_t kLvtDeadline = 2u << 17;
constexpr std::uint32_t kDivideBy1 = 0x0b;
// Interrupt command register, Intel SDM vol. 3, figure 11-12.
constexpr std::uint32_t kIcrInit = 5u << 8;
constexpr std::uint32_t kIcrStartup = 6u << 8;
constexpr std::uint32_t kIcrAssert = 1u << 14;
constexpr std::uint32_t kIcrPending = 1u << 12;
constexpr std::uint64_t kXapicCommandHigh = kXapicBase + 0x310;

constinit bool x2 = false;

std::uint64_t xapic_address(ApicRegister reg) {
    return kXapicBase + static_cast<std::uint32_t>(reg) * 16;
}

void write_command(std::uint32_t apic_id, std::uint32_t command) {
    if (x2) {
        wrmsr(kX2apicMsr + static_cast<std::uint32_t>(ApicRegister::kCommand),
              std::uint64_t{apic_id} << 32 | command);
        return;
    }
    while ((local_apic_read(ApicRegister::kCommand) & kIcrPending) != 0) pause();
    write_physical<std::uint32_t>(kXapicCommandHigh, apic_id << 24);
    local_apic_write(ApicRegister::kCommand, command);
}

}  // namespace

void local_apic_enable() {
    x2 = (cpuid(1).ecx & kCpuidX2apic) != 0;
    wrmsr(kMsrApicBase, rdmsr(kMsrApicBase) | kApicBaseEnable | (x2 ? kApicBaseX2 : 0));
    local_apic_write(ApicRegister::kSpurious, kSoftwareEnable | kSpuriousVector);
    local_apic_write(ApicRegister::kTaskPriority, 0);
    local_apic_write(ApicRegister::kLvtLint0, kLvtMasked);  // the legacy PIC's way in
}

bool local_apic_is_x2() {
    return x2;
}

std::uint32_t local_apic_id() {
    const std::uint32_t id = local_apic_read(ApicRegister::kId);
    return x2 ? id : id >> 24;
}

std::uint32_t local_apic_read(ApicRegister reg) {
    if (x2) return static_cast<std::uint32_t>(rdmsr(kX2apicMsr + static_cast<std::uint32_t>(reg)));
    return read_physical<std::uint32_t>(xapic_address(reg));
}

void local_apic_write(ApicRegister reg, std::uint32_t value) {
    if (x2) return wrmsr(kX2apicMsr + static_cast<std::uint32_t>(reg), value);
    write_physical(xapic_address(reg), value);
}

void local_apic_end_of_interrupt() {
    local_apic_write(ApicRegister::kEndOfInterrupt, 0);
}

void send_ipi(std::uint32_t apic_id, unsigned vector) {
    write_command(apic_id, kIcrAssert | vector);
}
void send_init(std::uint32_t apic_id) {
    write_command(apic_id, kIcrAssert | kIcrInit);
}
void send_startup(std::uint32_t apic_id, unsigned page) {
    write_command(apic_id, kIcrAssert | kIcrStartup | page);
}

bool timer_has_deadline() {
    return (cpuid(1).ecx & kCpuidTscDeadline) != 0;
}

void timer_deadline(unsigned vector, std::uint64_t tsc) {
    local_apic_write(ApicRegister::kLvtTimer, kLvtDeadline | vector);
    wrmsr(kMsrTscDeadline, tsc);
}

void timer_one_shot(unsigned vector, std::uint32_t count) {
    local_apic_write(ApicRegister::kLvtTimer, vector);
    local_apic_write(ApicRegister::kTimerDivide, kDivideBy1);
    local_apic_write(ApicRegister::kTimerInitial, count);
}

void timer_periodic(unsigned vector, std::uint32_t count) {
    local_apic_write(ApicRegister::kLvtTimer, kLvtPeriodic | vector);
    local_apic_write(ApicRegister::kTimerDivide, kDivideBy1);
    local_apic_write(ApicRegister::kTimerInitial, count);
}

void timer_stop() {
    if (timer_has_deadline()) wrmsr(kMsrTscDeadline, 0);
    local_apic_write(ApicRegister::kTimerInitial, 0);
    local_apic_write(ApicRegister::kLvtTimer, kLvtMasked);
}

}  // namespace guest
