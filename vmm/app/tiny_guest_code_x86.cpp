#include "vmm/app/tiny_guest_code_x86.h"

// Position-independent; copied into guest memory, never run here.
asm(R"(
        .pushsection .rodata.carrel_doctor, "a", @progbits
carrel_doctor_mixture:
        mov     %rcx, %r8
1:      mov     (%rsi), %rax
        add     %rcx, %rax
        mov     %rax, 8(%rsi)
        rol     $7, %rax
        mov     %eax, %edx
        and     $0xff8, %edx
        xor     %rax, (%rsi,%rdx)
        call    3f
        test    $1, %al
        jz      2f
        inc     %rbx
2:      dec     %rcx
        jnz     1b
        out     %al, $0x10
        shl     $2, %r8
        mov     %r8, %rcx
        jmp     1b
3:      push    %rbx
        lea     (%rbx,%rax), %rdi
        pop     %rbx
        ret
carrel_doctor_exits:
        out     %al, $0x10
        jmp     carrel_doctor_exits
carrel_doctor_int3:
        int3
1:      jmp     1b
carrel_doctor_int3_handler:
        out     %al, $0x10
1:      jmp     1b
carrel_doctor_xrstor:
        mov     $1, %eax
        xor     %edx, %edx
        xrstor  (%rsi)
        out     %al, $0x10
1:      jmp     1b
carrel_doctor_cmpxchg16b:
        lock cmpxchg16b (%rsi)
        out     %al, $0x10
1:      jmp     1b
carrel_doctor_end:
        .popsection
)");

extern "C" {
extern const std::byte carrel_doctor_mixture[], carrel_doctor_exits[], carrel_doctor_int3[],
    carrel_doctor_int3_handler[], carrel_doctor_xrstor[], carrel_doctor_cmpxchg16b[], carrel_doctor_end[];
}

namespace carrel::app::guest_code {

std::span<const std::byte> mixture() {
    return {carrel_doctor_mixture, carrel_doctor_exits};
}
std::span<const std::byte> exits() {
    return {carrel_doctor_exits, carrel_doctor_int3};
}
std::span<const std::byte> int3() {
    return {carrel_doctor_int3, carrel_doctor_int3_handler};
}
std::span<const std::byte> int3_handler() {
    return {carrel_doctor_int3_handler, carrel_doctor_xrstor};
}
std::span<const std::byte> xrstor() {
    return {carrel_doctor_xrstor, carrel_doctor_cmpxchg16b};
}
std::span<const std::byte> cmpxchg16b() {
    return {carrel_doctor_cmpxchg16b, carrel_doctor_end};
}

}  // namespace carrel::app::guest_code
