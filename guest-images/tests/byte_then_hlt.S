// Property: a byte written just before HLT still appears, also where writes to the transmit register are coalesced and no
// exit follows. Prints "!" and never ends.
        .text
        .globl  guest_start
guest_start:
        mov     $0x3f8, %edx            // COM1 transmit holding register, as the loader left the UART
        mov     $'!', %al
        out     %al, %dx
1:      cli
        hlt
        jmp     1b
        .section .note.GNU-stack, "", @progbits
