// The interrupt descriptor table and what happens on each vector.
#include "lib/interrupts_x86.h"

#include "lib/apic_x86.h"
#include "lib/cpu_x86.h"
#include "lib/power_x86.h"
#include "lib/print.h"

extern "C" const char interrupt_stubs[];
extern "C" const char guarded_return[];
extern "C" bool guarded_call(void (*function)(), std::uint64_t* saved_stack);

namespace guest {
namespace {

// Intel SDM vol. 3, figure 6-8 "64-Bit IDT Gate Descriptors".
struct Gate {
    std::uint16_t offset_low, selector;
    std::uint8_t stack_table, type;
    std::uint16_t offset_middle;
    std::uint32_t offset_high, reserved;
};
constexpr std::uint8_t kInterruptGate = 0x8e;  // present, ring 0, 64-bit interrupt gate

struct [[gnu::packed]] TablePointer {
    std::uint16_t limit;
    std::uint64_t base;
};

constinit Gate gates[VECTOR_COUNT] = {};
constinit InterruptHandler handlers[VECTOR_COUNT] = {};
constinit std::uint64_t guard_stack = 0;  // stack of the guarded call that runs, 0 when none does
constinit Fault guard_fault = {};

void mask_legacy_pics() {
    out8(0x21, 0xff);
    out8(0xa1, 0xff);
}

[[noreturn]] void die_of(const InterruptFrame& frame) {
    print("FAIL exception ", frame.vector, " (", exception_name(frame.vector), ") error=", Hex{frame.error},
          " rip=", Hex{frame.rip}, " cr2=", Hex{read_cr2()}, " rsp=", Hex{frame.rsp}, " rax=", Hex{frame.rax},
          "\n");
    power_off();
}

void on_exception(InterruptFrame& frame) {
    if (guard_stack == 0) die_of(frame);
    guard_fault = {frame.vector, frame.error, frame.rip, read_cr2()};
    frame.rip = reinterpret_cast<std::uint64_t>(guarded_return);
    frame.rsp = guard_stack;
    guard_stack = 0;
}

}  // namespace

void interrupts_load() {
    const TablePointer pointer{sizeof(gates) - 1, reinterpret_cast<std::uint64_t>(gates)};
    asm volatile("lidt %0" : : "m"(pointer));
}

void interrupts_init() {
    auto stub = reinterpret_cast<std::uint64_t>(interrupt_stubs);
    for (Gate& gate : gates) {
        gate.offset_low = static_cast<std::uint16_t>(stub);
        gate.selector = SELECTOR_CODE64;
        gate.type = kInterruptGate;
        gate.offset_middle = static_cast<std::uint16_t>(stub >> 16);
        stub += VECTOR_STUB_SIZE;
    }
    mask_legacy_pics();
    interrupts_load();
}

void set_handler(unsigned vector, InterruptHandler handler) {
    handlers[vector] = handler;
}

bool returns(void (*function)(), Fault* fault) {
    const bool returned = guarded_call(function, &guard_stack);
    guard_stack = 0;
    if (!returned) *fault = guard_fault;
    return returned;
}

const char* exception_name(std::uint64_t vector) {
    switch (vector) {  // Intel SDM vol. 3, table 6-1
        case 0: return "divide error";
        case 1: return "debug";
        case 3: return "breakpoint";
        case 6: return "invalid opcode";
        case 8: return "double fault";
        case 13: return "general protection";
        case 14: return "page fault";
        default: return "other";
    }
}

}  // namespace guest

extern "C" void interrupt_dispatch(guest::InterruptFrame& frame) {
    using namespace guest;
    if (frame.vector < kFirstInterruptVector) return on_exception(frame);
    if (frame.vector == kSpuriousVector) return;
    if (const InterruptHandler handler = handlers[frame.vector]) handler(frame);
    local_apic_end_of_interrupt();
}
