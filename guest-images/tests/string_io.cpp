// Property: string I/O keeps the port and advances the data (KVM_EXIT_IO with count > 1), forwards and
// backwards, 1, 2 and 4 bytes wide, from unmapped ports and from and to COM1. Prints a line by REP OUTSB,
// PASS or FAIL, powers off.
#include "lib/cpu_x86.h"
#include "lib/guest.h"
#include "lib/serial.h"

using namespace guest;

namespace {

constexpr Text kName = "string_io";
constexpr std::uint16_t kUnmapped = 0x5a00;
constexpr unsigned kSize = 600;  // bytes; not a power of two, more than any batch
constexpr unsigned char kGuard = 0x5a;
constexpr std::uint16_t kScratch = kCom1 + kUartScratch;

// Static and aligned: below one page end, so that the last pass can cross it.
alignas(4096) constinit unsigned char buffer[2 * 4096] = {};

void fill(unsigned char value, unsigned count) {
    for (unsigned i = 0; i < count; ++i) buffer[i] = value;
}

void expect(unsigned char* at, unsigned count, unsigned char value, const char* what) {
    for (unsigned i = 0; i < count; ++i)
        if (at[i] != value) fail(kName, what, ": byte ", i, " is ", Hex{at[i]}, ", not ", Hex{value});
}

void rep_insb(std::uint16_t port, unsigned char*& to, std::uint64_t count) {
    asm volatile("rep insb" : "+D"(to), "+c"(count) : "d"(port) : "memory");
}
void rep_insw(std::uint16_t port, unsigned char*& to, std::uint64_t count) {
    asm volatile("rep insw" : "+D"(to), "+c"(count) : "d"(port) : "memory");
}
void rep_insl(std::uint16_t port, unsigned char*& to, std::uint64_t count) {
    asm volatile("rep insl" : "+D"(to), "+c"(count) : "d"(port) : "memory");
}
void rep_outsb(std::uint16_t port, const unsigned char*& from, std::uint64_t count) {
    asm volatile("rep outsb" : "+S"(from), "+c"(count) : "d"(port) : "memory");
}

using Reader = void (*)(std::uint16_t, unsigned char*&, std::uint64_t);

void check_unmapped_reads(Reader read, unsigned width, const char* what) {
    fill(kGuard, kSize + 8);
    unsigned char* at = buffer;
    read(kUnmapped, at, kSize / width);
    if (at != buffer + kSize) fail(kName, what, ": RDI didn't advance to the end");
    expect(buffer, kSize, 0xff, what);
    expect(buffer + kSize, 8, kGuard, what);
}

void check_scratch_reads() {
    uart_write(kUartScratch, 0x3c);
    unsigned char* at = buffer;
    rep_insb(kScratch, at, kSize);
    expect(buffer, kSize, 0x3c, "insb from the scratch register");
}

void check_scratch_writes() {
    for (unsigned i = 0; i < kSize; ++i) buffer[i] = static_cast<unsigned char>(i * 7);
    const unsigned char* at = buffer;
    rep_outsb(kScratch, at, kSize);
    if (at != buffer + kSize) fail(kName, "outsb: RSI didn't advance to the end");
    if (uart_read(kUartScratch) != buffer[kSize - 1]) fail(kName, "outsb: the last byte didn't come last");
}

void check_backwards() {
    fill(kGuard, 64);
    unsigned char* at = buffer + 47;
    std::uint64_t count = 32;
    asm volatile("std\n\trep insb\n\tcld" : "+D"(at), "+c"(count) : "d"(kUnmapped) : "memory");
    if (at != buffer + 15) fail(kName, "backwards: RDI didn't go down");
    expect(buffer, 16, kGuard, "backwards, below");
    expect(buffer + 16, 32, 0xff, "backwards");
    expect(buffer + 48, 16, kGuard, "backwards, above");
}

void check_across_a_page() {
    unsigned char* start = buffer + 4096 - 10;
    unsigned char* at = start;
    rep_insl(kUnmapped, at, 5);
    if (at != start + 20) fail(kName, "across a page: RDI didn't advance to the end");
    expect(start, 20, 0xff, "across a page");
}

void check_count_zero() {
    fill(kGuard, 8);
    unsigned char* at = buffer;
    rep_insb(kUnmapped, at, 0);
    if (at != buffer) fail(kName, "count 0: RDI moved");
    expect(buffer, 8, kGuard, "count 0");
}

}  // namespace

extern "C" void guest_main() {
    check_unmapped_reads(rep_insb, 1, "insb");
    check_unmapped_reads(rep_insw, 2, "insw");
    check_unmapped_reads(rep_insl, 4, "insl");
    check_scratch_reads();
    check_scratch_writes();
    check_backwards();
    check_across_a_page();
    check_count_zero();
    static constexpr unsigned char kLine[] = "by outsb\r\n";  // fits the 16-byte FIFO
    const unsigned char* at = kLine;
    rep_outsb(kCom1, at, sizeof(kLine) - 1);
    pass(kName, "1, 2 and 4 bytes");
}
