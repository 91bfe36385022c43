// Property: a guest may leave long mode down to real mode, do port I/O, take a software interrupt there and
// come back. Prints "from real mode" from 16-bit code, then PASS or FAIL, powers off. The code is in
// real_mode_code.S.
#include <cstdint>

#include "lib/guest.h"
#include "lib/smp.h"

extern "C" std::uint32_t visit_real_mode(std::uint64_t page);

extern "C" void guest_main() {
    using namespace guest;
    constexpr Text kName = "real_mode";
    const std::uint64_t page = low_page(0x10000);
    if (page == 0) fail(kName, "no RAM below 64 KiB");
    const std::uint32_t results = visit_real_mode(page);
    if ((results & 0xff) != 0x5a) fail(kName, "the scratch register read ", Hex{results & 0xff});
    if ((results >> 8 & 0xff) != 0x60) fail(kName, "INT 0x60 didn't reach its handler");
    if ((results >> 16 & 0xff) != 'f') fail(kName, "segment * 16 + offset gave ", Hex{results >> 16 & 0xff});
    if ((results >> 24 & 1) != 0) fail(kName, "CR0.PE was still set");
    pass(kName, "there and back");
}
