// Property: a guest that spins without any exit can still be stopped from outside. Prints nothing, never ends.
        .text
        .globl  guest_start
guest_start:
        cli
1:      jmp     1b
        .section .note.GNU-stack, "", @progbits
