// Where every guest starts, whichever way it was loaded, and the road into 64-bit mode for the other CPUs.
//
//   carrel, 64-bit Linux boot protocol     PVH (QEMU, one test)        INIT/SIPI, from the trampoline
//   entry_linux64: RSI = boot_params       entry_pvh: EBX = start info ap_entry32: other CPUs
//            |                                     |                         |
//            |                                     +---- enter_long_mode ----+
//            v                                     v                         v
//        guest_start(0, RSI)               guest_start(1, EBX)         ap_entry64 -> ap_start(index)
//
// guest_start runs in long mode on our own GDT, page tables and a 16 KiB stack, interrupts off. The library has one
// (start.cpp); a guest of a dozen lines defines its own and so leaves the rest of the library out.

#include "lib/layout_x86.h"

        .macro  load_data_segments
        mov     $SELECTOR_DATA, %eax
        mov     %eax, %ds
        mov     %eax, %es
        mov     %eax, %fs
        mov     %eax, %gs
        mov     %eax, %ss
        .endm

// ---- Xen's PVH note: XEN_ELFNOTE_PHYS32_ENTRY (Xen public/elfnote.h), the 32-bit entry ----
        .section .note.pvh, "a", @note
        .align  4
        .long   4                       // length of the name
        .long   8                       // length of the value
        .long   18                      // XEN_ELFNOTE_PHYS32_ENTRY
        .asciz  "Xen"
        .quad   entry_pvh

// ---- 64-bit entry: Linux Documentation/arch/x86/boot.rst, "64-bit Boot Protocol" ----
        .section .text.entry, "ax"
        .code64
        .globl  entry_linux64
entry_linux64:
        cli
        cld
        lgdt    gdt_pointer             // same selectors as the protocol's, so CS and DS stay valid
        mov     $page_map, %eax
        mov     %rax, %cr3
        mov     $CR4_VALUE, %eax
        mov     %rax, %cr4
        mov     $CR0_VALUE, %eax
        mov     %rax, %cr0
        mov     $boot_stack_end, %esp
        xor     %edi, %edi              // 0: boot_params in RSI
        xor     %ebp, %ebp
        call    guest_start
1:      cli
        hlt
        jmp     1b

// ---- 32-bit entry: paging off, flat segments, EBX = hvm_start_info ----
        .code32
entry_pvh:
        cli
        cld
        lgdt    gdt_pointer
        ljmp    $SELECTOR_CODE32, $1f
1:      load_data_segments
        mov     $1, %edi                // 1: hvm_start_info in RSI
        mov     %ebx, %esi
        mov     $pvh_entry64, %ebp
        jmp     enter_long_mode

        .code64
pvh_entry64:
        mov     $boot_stack_end, %esp
        xor     %ebp, %ebp
        call    guest_start
1:      cli
        hlt
        jmp     1b

// Intel SDM vol. 3, 10.8.5 "Initializing IA-32e Mode". Goes on at the 64-bit address in EBP; EDI and ESI pass through.
        .globl  enter_long_mode
        .code32
enter_long_mode:
        mov     $CR4_VALUE, %eax
        mov     %eax, %cr4
        mov     $page_map, %eax
        mov     %eax, %cr3
        mov     $MSR_EFER, %ecx
        rdmsr
        or      $EFER_LME, %eax
        wrmsr
        mov     $CR0_VALUE, %eax
        mov     %eax, %cr0
        ljmp    $SELECTOR_CODE64, $1f
        .code64
1:      mov     %ebp, %ebp              // upper half is undefined after the switch
        jmp     *%rbp

// ---- The other CPUs ----
// Copied to a page below 1 MiB; CS = page, IP = 0 (Intel SDM vol. 3, 9.4.4 "MP Initialization Example").
        .code16
        .globl  ap_trampoline, ap_trampoline_end
ap_trampoline:
        cli
        cld
        mov     %cs, %ax
        mov     %ax, %ds
        lgdtl   ap_gdt_pointer - ap_trampoline
        mov     %cr0, %eax
        or      $CR0_PE, %al
        mov     %eax, %cr0
        ljmpl   $SELECTOR_CODE32, $ap_entry32
        .align  4
ap_gdt_pointer:
        .word   gdt_end - gdt - 1
        .long   gdt
ap_trampoline_end:

        .code32
ap_entry32:
        load_data_segments
        mov     $ap_entry64, %ebp
        jmp     enter_long_mode

        .code64
ap_entry64:
        mov     $1, %edi
        lock xadd %edi, ap_next_index   // the boot CPU is 0, the others count themselves from 1
        cmp     $MAX_CPUS, %edi
        jae     1f
        mov     %edi, %eax
        shl     $AP_STACK_SHIFT, %eax
        lea     ap_stacks(%eax), %esp   // index 1 gets the end of the first stack
        xor     %ebp, %ebp
        call    ap_start
1:      cli
        hlt
        jmp     1b

        .weak   ap_start                // only guests that start other CPUs have one

// ---- Tables ----
        .data
        .align  8
        .globl  gdt_pointer, ap_next_index
gdt_pointer:                            // 10 bytes for 64-bit LGDT; 32-bit LGDT reads the first 6
        .word   gdt_end - gdt - 1
        .quad   gdt
        .align  8
gdt:
        .quad   0
        .quad   0x00cf9b000000ffff      // 0x08 32-bit code
        .quad   0x00af9b000000ffff      // 0x10 64-bit code
        .quad   0x00cf93000000ffff      // 0x18 data
        .quad   0x00009b000000ffff      // 0x20 16-bit code, base 0, 64 KiB
        .quad   0x000093000000ffff      // 0x28 16-bit data, base 0, 64 KiB
gdt_end:
ap_next_index:
        .long   1

// Identity map of the first 4 GiB in 2 MiB pages, made by the assembler: at 3 million instructions a second a loop
// would cost 2 ms. The last GiB is uncached (devices). One more directory, at 511 GiB, is the window (paging_x86.h).
        .section .data.tables, "aw"
        .align  4096
page_map:
        .quad   page_pointers + PTE_PRESENT_WRITE
        .fill   511, 8, 0
page_pointers:
        .quad   page_directories + PTE_PRESENT_WRITE
        .quad   page_directories + 0x1000 + PTE_PRESENT_WRITE
        .quad   page_directories + 0x2000 + PTE_PRESENT_WRITE
        .quad   page_directories + 0x3000 + PTE_PRESENT_WRITE
        .fill   507, 8, 0
        .quad   window_directory + PTE_PRESENT_WRITE
page_directories:
        .set    address, 0
        .rept   3 * 512
        .quad   address + PTE_PRESENT_WRITE + PTE_LARGE
        .set    address, address + 0x200000
        .endr
        .rept   512
        .quad   address + PTE_PRESENT_WRITE + PTE_LARGE + PTE_UNCACHED
        .set    address, address + 0x200000
        .endr

        .bss
        .align  4096
        .globl  window_directory
window_directory:
        .skip   4096
        .skip   BOOT_STACK_SIZE
boot_stack_end:
ap_stacks:
        .skip   (MAX_CPUS - 1) << AP_STACK_SHIFT

        .section .note.GNU-stack, "", @progbits
