// Property: KVM can't fetch instructions from an address that no RAM backs: KVM_EXIT_INTERNAL_ERROR (emulation failure) with
// RIP 0xd0000000. Registers hold a pattern for the report: rbx=0x1111..., rcx=0x2222..., r15=0xffff....
// Prints nothing, ends by that failure.
        .text
        .globl  guest_start
guest_start:
        mov     $0x1111111111111111, %rbx
        mov     $0x2222222222222222, %rcx
        mov     $-1, %r15
        mov     $0xd0000000, %eax
        jmp     *%rax
        .section .note.GNU-stack, "", @progbits
