// Numbers that the assembly and the C++ side share. No C++ in here: the assembler reads it too.
#pragma once

// Selectors in our GDT; 0x10 and 0x18 are those of the Linux boot protocol.
#define SELECTOR_CODE32 0x08
#define SELECTOR_CODE64 0x10
#define SELECTOR_DATA 0x18
#define SELECTOR_CODE16 0x20
#define SELECTOR_DATA16 0x28

// Intel SDM vol. 3, 2.5 "Control Registers".
#define CR0_PE 0x00000001
#define CR0_VALUE 0x80010033 /* PG WP NE ET MP PE */
#define CR4_VALUE 0x00000620 /* OSXMMEXCPT OSFXSR PAE */
#define MSR_EFER 0xc0000080
#define EFER_LME 0x100
#define EFER_LMA 0x400

// Intel SDM vol. 3, 4.5 "4-Level Paging".
#define PTE_PRESENT_WRITE 0x03
#define PTE_UNCACHED 0x10
#define PTE_LARGE 0x80

#define MAX_CPUS 64
#define AP_STACK_SHIFT 12
#define BOOT_STACK_SIZE 0x4000

// Vectors that have a stub: 32 exceptions and 32 for interrupts.
#define VECTOR_COUNT 64
#define VECTOR_STUB_SIZE 16
