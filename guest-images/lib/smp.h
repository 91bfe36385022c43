// The other CPUs: started by INIT and SIPI as the MADT lists them (Intel SDM vol. 3, 9.4.4).
#pragma once
#include <cstdint>

namespace guest {

// Runs on each other CPU, with its index (1...), its own stack, the IDT loaded, the local APIC on and
// interrupts off. When it returns, the CPU waits in HLT with interrupts on.
using CpuMain = void (*)(unsigned index);

struct SmpResult {
    unsigned listed;      // CPUs in the MADT
    unsigned running;     // CPUs that run, this one included
    const char* problem;  // nullptr, or why some could not be started
};

// Once. clock_init and acpi_init come first.
SmpResult start_cpus(CpuMain main);
// The last whole page of usable RAM below `limit` (at most 640 KiB), where real-mode code may go; 0 when
// there is none.
std::uint64_t low_page(std::uint64_t limit);
// The local APIC id of a CPU that runs, by its index.
std::uint32_t cpu_apic_id(unsigned index);

}  // namespace guest
