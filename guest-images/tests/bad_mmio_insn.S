// Property: an instruction that KVM's emulator doesn't know, with an operand in unmapped MMIO: KVM_EXIT_INTERNAL_ERROR
// (emulation failure) with RIP at `culprit` and its bytes 66 0f fe 00. Prints nothing, ends by that failure.
        .text
        .globl  guest_start, culprit
guest_start:
        mov     $0xd0000000, %eax
culprit:
        paddd   (%rax), %xmm0
1:      cli
        hlt
        jmp     1b
        .section .note.GNU-stack, "", @progbits
