// Interrupt and exception stubs. Each vector's stub pushes what the CPU left out, so that all frames look alike
// (InterruptFrame in interrupts_x86.h), and hands the frame to interrupt_dispatch.

#include "lib/layout_x86.h"

        .text
        .code64
        .globl  interrupt_stubs
        .align  VECTOR_STUB_SIZE
interrupt_stubs:
        .set    vector, 0
        .rept   VECTOR_COUNT
        .align  VECTOR_STUB_SIZE
        // Vectors with an error code: Intel SDM vol. 3, table 6-1; 29 and 30 from the AMD APM vol. 2, 8.2.
        .if     !(vector == 8 || (vector >= 10 && vector <= 14) || vector == 17 || vector == 21 || vector == 29 || vector == 30)
        pushq   $0
        .endif
        pushq   $vector
        jmp     interrupt_common
        .set    vector, vector + 1
        .endr

interrupt_common:
        push    %rax
        push    %rcx
        push    %rdx
        push    %rsi
        push    %rdi
        push    %r8
        push    %r9
        push    %r10
        push    %r11
        push    %rbx
        push    %rbp
        push    %r12
        push    %r13
        push    %r14
        push    %r15
        cld
        mov     %rsp, %rdi
        mov     %rsp, %rbp              // the CPU aligned the stack to 16 and 22 words follow: already aligned
        call    interrupt_dispatch
        pop     %r15
        pop     %r14
        pop     %r13
        pop     %r12
        pop     %rbp
        pop     %rbx
        pop     %r11
        pop     %r10
        pop     %r9
        pop     %r8
        pop     %rdi
        pop     %rsi
        pop     %rdx
        pop     %rcx
        pop     %rax
        add     $16, %rsp               // vector and error code
        iretq

// bool guarded_call(void (*function)(), uint64_t* saved_stack): true when the function returned, false when
// interrupt_dispatch sent us to guarded_return instead because it raised an exception.
        .globl  guarded_call, guarded_return
guarded_call:
        push    %rbx
        push    %rbp
        push    %r12
        push    %r13
        push    %r14
        push    %r15
        push    %rsi
        mov     %rsp, (%rsi)
        call    *%rdi
        mov     $1, %eax
        jmp     1f
guarded_return:
        xor     %eax, %eax
1:      pop     %rsi
        pop     %r15
        pop     %r14
        pop     %r13
        pop     %r12
        pop     %rbp
        pop     %rbx
        ret

        .section .note.GNU-stack, "", @progbits
