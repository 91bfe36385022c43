// The default guest's ELF file as constant data of the host's program.
        .section .rodata
        .balign 16
        .globl  carrel_default_guest_start, carrel_default_guest_end
carrel_default_guest_start:
        .incbin DEFAULT_GUEST_FILE
carrel_default_guest_end:
        .section .note.GNU-stack, "", %progbits
