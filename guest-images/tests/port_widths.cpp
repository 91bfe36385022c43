// Property: port reads and writes of 1, 2 and 4 bytes. Unmapped ports read all ones and swallow writes;
// COM1's scratch register keeps a byte; an access wider than a register is legal. Prints PASS or FAIL, powers
// off.
#include "lib/cpu_x86.h"
#include "lib/guest.h"
#include "lib/serial.h"

using namespace guest;

namespace {

constexpr Text kName = "port_widths";
constexpr std::uint16_t kUnmapped[] = {0x5a00, 0x5a01, 0x0278, 0xe00c, 0xfffc};

void check_unmapped(std::uint16_t port) {
    if (in8(port) != 0xff) fail(kName, "1-byte read of port ", Hex{port}, " isn't all ones");
    if (in16(port) != 0xffff) fail(kName, "2-byte read of port ", Hex{port}, " isn't all ones");
    if (in32(port) != 0xffffffff) fail(kName, "4-byte read of port ", Hex{port}, " isn't all ones");
    out8(port, 0x12);
    out16(port, 0x1234);
    out32(port, 0x12345678);
    if (in32(port) != 0xffffffff) fail(kName, "port ", Hex{port}, " kept what was written");
}

// A read must leave the rest of RAX as it was (1 and 2 bytes) or zero it (4 bytes).
void check_upper_bits() {
    std::uint64_t rax = 0x1122334455667788;
    asm volatile("inb %%dx, %%al" : "+a"(rax) : "d"(kUnmapped[0]));
    if (rax != 0x11223344556677ff) fail(kName, "1-byte read changed other bits of RAX: ", Hex{rax});
    rax = 0x1122334455667788;
    asm volatile("inw %%dx, %%ax" : "+a"(rax) : "d"(kUnmapped[0]));
    if (rax != 0x112233445566ffff) fail(kName, "2-byte read changed other bits of RAX: ", Hex{rax});
    rax = 0x1122334455667788;
    asm volatile("inl %%dx, %%eax" : "+a"(rax) : "d"(kUnmapped[0]));
    if (rax != 0x00000000ffffffff) fail(kName, "4-byte read didn't zero the upper half of RAX: ", Hex{rax});
}

void check_scratch() {
    for (unsigned value = 0; value < 256; value += 15) {
        uart_write(kUartScratch, static_cast<std::uint8_t>(value));
        if (uart_read(kUartScratch) != value) fail(kName, "the scratch register lost ", Hex{value});
    }
}

// The values aren't specified; that nothing breaks is the point.
void check_wider_than_register() {
    uart_write(kUartScratch, 0x77);
    (void)in16(kCom1 + kUartScratch);
    (void)in32(kCom1 + kUartLineStatus);
    (void)in32(kCom1 + kUartScratch);
    out16(kCom1 + kUartModemStatus,
          0xffff);  // modem status is read-only, scratch takes the upper byte or nothing
}

}  // namespace

extern "C" void guest_main() {
    for (const std::uint16_t port : kUnmapped) check_unmapped(port);
    check_upper_bits();
    check_scratch();
    check_wider_than_register();
    pass(kName, "1, 2 and 4 bytes");
}
