// What a guest in C++ provides, and the two lines that a test waits for.
#pragma once
#include "lib/power_x86.h"
#include "lib/print.h"

extern "C" void guest_main();

namespace guest {

// The verdict, exactly one line a run, then the end.
template <typename... Parts>
[[noreturn]] void pass(Text name, const Parts&... parts) {
    print("PASS ", name, " ", parts..., "\n");
    power_off();
}
template <typename... Parts>
[[noreturn]] void fail(Text name, const Parts&... parts) {
    print("FAIL ", name, " ", parts..., "\n");
    power_off();
}

}  // namespace guest
