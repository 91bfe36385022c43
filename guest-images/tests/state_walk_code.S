// Loads every general and SSE register and the flags with given values, lets the VMM in twice, and stores what is there then.

        .set    FLAGS, 16 * 8           // struct RegisterFile in state_walk.cpp
        .set    XMM, 17 * 8

// void walk_registers(const RegisterFile* in, RegisterFile* out): RAX's low byte goes to the port in RDX, twice.
// RSP stays ours.
        .text
        .globl  walk_registers
walk_registers:
        push    %rbx
        push    %rbp
        push    %r12
        push    %r13
        push    %r14
        push    %r15
        push    %rsi
        .irp    n, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15
        movups  XMM + 16 * \n(%rdi), %xmm\n
        .endr
        pushq   FLAGS(%rdi)
        popfq
        mov     0(%rdi), %rax
        mov     8(%rdi), %rcx
        mov     16(%rdi), %rdx
        mov     24(%rdi), %rbx
        mov     40(%rdi), %rbp
        mov     48(%rdi), %rsi
        mov     64(%rdi), %r8
        mov     72(%rdi), %r9
        mov     80(%rdi), %r10
        mov     88(%rdi), %r11
        mov     96(%rdi), %r12
        mov     104(%rdi), %r13
        mov     112(%rdi), %r14
        mov     120(%rdi), %r15
        mov     56(%rdi), %rdi
        out     %al, %dx
        out     %al, %dx
        pushfq
        push    %rdi
        mov     16(%rsp), %rdi          // `out`
        mov     %rax, 0(%rdi)
        mov     %rcx, 8(%rdi)
        mov     %rdx, 16(%rdi)
        mov     %rbx, 24(%rdi)
        mov     %rbp, 40(%rdi)
        mov     %rsi, 48(%rdi)
        mov     %r8, 64(%rdi)
        mov     %r9, 72(%rdi)
        mov     %r10, 80(%rdi)
        mov     %r11, 88(%rdi)
        mov     %r12, 96(%rdi)
        mov     %r13, 104(%rdi)
        mov     %r14, 112(%rdi)
        mov     %r15, 120(%rdi)
        pop     %rax
        mov     %rax, 56(%rdi)
        pop     %rax
        mov     %rax, FLAGS(%rdi)
        cld
        .irp    n, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15
        movups  %xmm\n, XMM + 16 * \n(%rdi)
        .endr
        pop     %rsi
        pop     %r15
        pop     %r14
        pop     %r13
        pop     %r12
        pop     %rbp
        pop     %rbx
        ret

        .section .note.GNU-stack, "", @progbits
