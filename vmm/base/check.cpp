#include "vmm/base/check.h"

#include <unistd.h>

#include <cstdio>
#include <cstdlib>

#include "vmm/base/crash_registry.h"

namespace carrel {

void check_failed(const char* file, int line, const char* condition, const char* detail) {
    crash_registry::restore_terminal();
    // Not fmt: memory may be in any state here.
    char text[512];
    const int length = std::snprintf(text, sizeof text, "\ncarrel: bug: %s:%d: CHECK(%s) failed%s%s\n", file,
                                     line, condition, *detail != '\0' ? ": " : "", detail);
    if (length > 0) {
        const auto size =
            static_cast<size_t>(length) < sizeof text ? static_cast<size_t>(length) : sizeof text - 1;
        [[maybe_unused]] const auto written = ::write(STDERR_FILENO, text, size);
    }
    std::abort();
}

}  // namespace carrel
