// The way from long mode down to real mode and back (AMD APM vol. 2, 14.6 "Leaving long mode"; Intel SDM vol. 3, 9.9.2).
//   long mode -> 32-bit compatibility -> paging off, EFER.LME off -> 16-bit protected -> PE off -> real mode -> back up

#include "lib/layout_x86.h"

        .set    IVT_0x60, 0x60 * 4

// uint32_t visit_real_mode(uint64_t page): page is below 64 KiB and is overwritten. Interrupts stay off.
// Returns the four bytes at `results`.
        .text
        .code64
        .globl  visit_real_mode
visit_real_mode:
        push    %rbx
        push    %rbp
        push    %r12
        push    %r13
        push    %r14
        push    %r15
        mov     %rsp, saved_stack
        sidt    saved_idt
        mov     %edi, %ebx              // EBX = page all the way
        mov     $real_code, %esi
        mov     $real_code_end - real_code, %ecx
        rep movsb
        lea     handler - real_code(%rbx), %eax
        mov     %eax, IVT_0x60          // segment 0, offset = address, since the page is below 64 KiB
        lidt    real_idt
        pushq   $SELECTOR_CODE32
        pushq   $1f
        lretq
        .code32
1:      mov     %cr0, %eax
        and     $0x7fffffff, %eax       // PG
        mov     %eax, %cr0
        mov     $MSR_EFER, %ecx
        rdmsr
        and     $~EFER_LME, %eax
        wrmsr
        xor     %eax, %eax
        mov     %eax, %cr4
        mov     %ebx, far_target
        mov     $SELECTOR_DATA16, %eax
        mov     %eax, %ds
        mov     %eax, %es
        mov     %eax, %fs
        mov     %eax, %gs
        mov     %eax, %ss
        ljmp    *%cs:far_target

back32: mov     $SELECTOR_DATA, %eax
        mov     %eax, %ds
        mov     %eax, %es
        mov     %eax, %fs
        mov     %eax, %gs
        mov     %eax, %ss
        mov     $back64, %ebp
        jmp     enter_long_mode
        .code64
back64: mov     saved_stack, %rsp
        lidt    saved_idt
        mov     results - real_code(%rbx), %eax
        pop     %r15
        pop     %r14
        pop     %r13
        pop     %r12
        pop     %rbp
        pop     %rbx
        ret

// Copied to the page; addresses inside it are relative to BX.
        .section .rodata
        .code16
real_code:
        mov     %cr0, %eax
        and     $~CR0_PE, %al
        mov     %eax, %cr0
        lea     0x1000(%bx), %sp        // the end of our page; SS still has base 0
        push    $0
        lea     2f - real_code(%bx), %ax
        push    %ax
        lret                            // CS = 0
2:      xor     %ax, %ax
        mov     %ax, %ds
        mov     %ax, %es
        mov     %ax, %ss
        mov     $0x3f8, %dx
        mov     $message_end - message, %cx
        lea     message - real_code(%bx), %si
        rep outsb
        mov     $0x3ff, %dx             // COM1 scratch
        mov     $0x5a, %al
        out     %al, %dx
        xor     %al, %al
        in      %dx, %al
        mov     %al, results - real_code(%bx)
        int     $0x60
        mov     %bx, %ax                // segment arithmetic: page >> 4 as DS, offset from there
        shr     $4, %ax
        mov     %ax, %ds
        mov     message - real_code, %cl
        xor     %ax, %ax
        mov     %ax, %ds
        mov     %cl, results - real_code + 2(%bx)
        mov     %cr0, %eax
        mov     %al, results - real_code + 3(%bx)
        or      $CR0_PE, %al
        mov     %eax, %cr0
        ljmpl   $SELECTOR_CODE32, $back32
handler:
        movb    $0x60, results - real_code + 1(%bx)
        iret
results:
        .long   0                       // scratch read back, 0x60 from the handler, first letter, low byte of CR0
message:
        .ascii  "from real mode\r\n"
message_end:
real_code_end:

        .data
real_idt:
        .word   0x3ff
        .quad   0
saved_idt:
        .skip   10
        .align  8
saved_stack:
        .quad   0
far_target:
        .long   0
        .word   SELECTOR_CODE16

        .section .note.GNU-stack, "", @progbits
