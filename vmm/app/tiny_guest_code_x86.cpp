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
carrel_doctor_block:
        add     $0x12345678, %eax
        add     $0x12345678, %eax
        add     $0x12345678, %eax
        add     $0x12345678, %eax
        jmp     carrel_doctor_block_end
carrel_doctor_block_end:
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
extern const std::byte carrel_doctor_mixture[], carrel_doctor_exits[], carrel_doctor_block[],
    carrel_doctor_block_end[], carrel_doctor_int3[], carrel_doctor_int3_handler[], carrel_doctor_xrstor[],
    carrel_doctor_cmpxchg16b[], carrel_doctor_end[];
}

namespace carrel::app::guest_code {
namespace {

constexpr size_t kOutSize = 2;  // OUT imm8, AL (SDM volume 2): the first instruction of exits()

}  // namespace

std::span<const std::byte> mixture() {
    return {carrel_doctor_mixture, carrel_doctor_exits};
}
std::span<const std::byte> exits() {
    return {carrel_doctor_exits, carrel_doctor_block};
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

std::vector<std::byte> once(size_t instructions) {
    constexpr size_t kBlock = 5;
    const std::span<const std::byte> out = exits(), block{carrel_doctor_block, carrel_doctor_block_end};
    std::vector<std::byte> code(out.begin(), out.begin() + kOutSize);
    for (size_t done = 0; done < instructions; done += kBlock)
        code.insert(code.end(), block.begin(), block.end());
    code.insert(code.end(), out.begin(), out.end());
    return code;
}

}  // namespace carrel::app::guest_code
