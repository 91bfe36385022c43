// Property: a guest that halts with interrupts off uses no CPU and never ends by itself. Prints nothing, never ends.
        .text
        .globl  guest_start
guest_start:
        cli
        hlt
        jmp     guest_start
        .section .note.GNU-stack, "", @progbits
