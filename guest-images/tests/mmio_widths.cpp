// Property: unmapped MMIO reads all ones in every width, to a register and by MOVS, also across a page
// boundary, and swallows writes. Option at= (decimal, default 0xd0000000). Prints PASS or FAIL, powers off.
#include <initializer_list>

#include "lib/boot_info.h"
#include "lib/guest.h"
#include "lib/physical.h"

using namespace guest;

namespace {

constexpr Text kName = "mmio_widths";
constexpr unsigned kSize = 64;

constinit unsigned char buffer[kSize + 8] = {};

template <typename T>
void check_width(std::uint64_t address) {
    constexpr T kOnes = static_cast<T>(~T{0});
    if (const T got = read_physical<T>(address); got != kOnes)
        fail(kName, sizeof(T), "-byte read of ", Hex{address}, " gives ", Hex{got});
    write_physical<T>(address, T{0x5a});
    if (read_physical<T>(address) != kOnes)
        fail(kName, Hex{address}, " kept a write of ", sizeof(T), " bytes");
}

void check_all_widths(std::uint64_t address) {
    check_width<std::uint8_t>(address);
    check_width<std::uint16_t>(address);
    check_width<std::uint32_t>(address);
    check_width<std::uint64_t>(address);
}

void expect_ones(const char* what) {
    for (unsigned i = 0; i < kSize; ++i)
        if (buffer[i] != 0xff) fail(kName, what, ": byte ", i, " is ", Hex{buffer[i]});
    for (unsigned i = 0; i < 8; ++i)
        if (buffer[kSize + i] != 0) fail(kName, what, " wrote beyond its end");
}

void clear_buffer() {
    for (unsigned char& byte : buffer) byte = 0;
}

void check_string_moves(std::uint64_t address) {
    clear_buffer();
    std::uint64_t from = address, count = kSize;
    unsigned char* to = buffer;
    asm volatile("rep movsb" : "+S"(from), "+D"(to), "+c"(count) : : "memory");
    expect_ones("rep movsb");
    clear_buffer();
    from = address, count = kSize / 8, to = buffer;
    asm volatile("rep movsq" : "+S"(from), "+D"(to), "+c"(count) : : "memory");
    expect_ones("rep movsq");
}

void check_string_stores(std::uint64_t address) {
    std::uint64_t to = address, count = kSize / 4;
    asm volatile("rep stosl" : "+D"(to), "+c"(count) : "a"(0) : "memory");
    if (to != address + kSize) fail(kName, "rep stosl stopped early");
    check_width<std::uint32_t>(address);
}

// Read, change and write in one instruction, and a read that only sets flags.
void check_arithmetic(std::uint64_t address) {
    bool differs = true;
    asm volatile("orl $1, (%0)" : : "r"(address) : "memory");
    asm volatile("cmpl $-1, (%1)" : "=@ccne"(differs) : "r"(address) : "memory");
    if (differs) fail(kName, "cmp doesn't see all ones");
    std::uint64_t extended = 0;
    asm volatile("movzbl (%1), %k0" : "=r"(extended) : "r"(address));
    if (extended != 0xff) fail(kName, "movzbl gives ", Hex{extended});
    asm volatile("movslq (%1), %0" : "=r"(extended) : "r"(address));
    if (extended != ~std::uint64_t{0}) fail(kName, "movslq gives ", Hex{extended});
}

}  // namespace

extern "C" void guest_main() {
    const std::uint64_t base = option_number("at", 0xd0000000);
    for (const std::uint64_t offset : {0u, 1u, 4u, 0x7fcu, 0xffdu}) check_all_widths(base + offset);
    check_string_moves(base);
    check_string_moves(base + 0x1000 - kSize / 2);
    check_string_stores(base);
    check_arithmetic(base);
    pass(kName, "1, 2, 4 and 8 bytes");
}
