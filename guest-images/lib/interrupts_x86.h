// Interrupt descriptor table, handlers by vector, and exceptions: reported and fatal, unless a guarded call
// expects one. Vectors 0-31 are the CPU's exceptions, 32-62 for interrupts (dispatch signals their end to the
// local APIC), 63 is the local APIC's spurious vector.
#pragma once
#include <cstdint>

#include "lib/layout_x86.h"

namespace guest {

// What the stubs push, lowest address first.
struct InterruptFrame {
    std::uint64_t r15, r14, r13, r12, rbp, rbx, r11, r10, r9, r8, rdi, rsi, rdx, rcx, rax;
    std::uint64_t vector, error;
    std::uint64_t rip, cs, rflags, rsp, ss;
};

using InterruptHandler = void (*)(InterruptFrame&);

constexpr unsigned kFirstInterruptVector = 32;
constexpr unsigned kSpuriousVector = 63;

// Vectors in use by the library's own parts and by the guests; one list, so that nobody collides.
constexpr unsigned kTimerVector = 32;
constexpr unsigned kSerialVector = 33;
constexpr unsigned kSciVector = 34;
constexpr unsigned kIpiVector = 35;
constexpr unsigned kPitVector = 36;
constexpr unsigned kRtcVector = 37;

void interrupts_init();  // boot CPU: builds the table, masks the legacy PICs, loads it
void interrupts_load();  // every other CPU
void set_handler(unsigned vector, InterruptHandler handler);

struct Fault {
    std::uint64_t vector, error, rip, cr2;
};
// Runs the function on this CPU; true when it returned, false when it raised an exception (then *fault says
// which).
bool returns(void (*function)(), Fault* fault);
const char* exception_name(std::uint64_t vector);

}  // namespace guest
