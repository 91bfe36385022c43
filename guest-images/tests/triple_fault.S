// Property: an exception with an empty interrupt table is a triple fault, which KVM reports as a shutdown.
// Prints nothing, ends by triple fault.
        .text
        .globl  guest_start
guest_start:
        lidt    empty(%rip)
        ud2
        .data
empty:  .word   0
        .quad   0
        .section .note.GNU-stack, "", @progbits
