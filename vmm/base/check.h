// CHECK: our own bugs. Never for what a guest, a file or the host can cause.
#pragma once

namespace carrel {

// Prints where and what, restores the terminal (crash_registry.h), and aborts. Any thread.
[[noreturn]] void check_failed(const char* file, int line, const char* condition, const char* detail = "");

}  // namespace carrel

// The condition is always evaluated, in release builds too.
#define CHECK(condition)                                                          \
    do {                                                                          \
        if (!(condition)) ::carrel::check_failed(__FILE__, __LINE__, #condition); \
    } while (false)
// With a C string that tells the state.
#define CHECK_MSG(condition, detail)                                                        \
    do {                                                                                    \
        if (!(condition)) ::carrel::check_failed(__FILE__, __LINE__, #condition, (detail)); \
    } while (false)
