#include "vmm/cli/say.h"

#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <new>
#include <span>
#include <string>

#include "vmm/base/clock.h"
#include "vmm/base/crash_registry.h"
#include "vmm/base/stream_fd.h"
#include "vmm/cli/exit_status.h"

namespace carrel::cli {
namespace {

constexpr Nanoseconds kPatience = kSecond;  // for a reader of standard error that takes nothing

bool write_all(int fd, std::string_view text) {
    while (!text.empty()) {
        const ssize_t count = ::write(fd, text.data(), text.size());
        if (count < 0 && errno != EINTR) return false;
        if (count > 0) text.remove_prefix(static_cast<size_t>(count));
    }
    return true;
}

// No allocation from here on.
[[noreturn]] void on_terminate() {
    try {
        if (const auto thrown = std::current_exception()) std::rethrow_exception(thrown);
    } catch (const std::bad_alloc&) {
        crash_registry::restore_terminal();
        write_all(STDERR_FILENO,
                  "carrel: the host gives this process no more memory; free some, or raise its limit (ulimit "
                  "-v)\n");
        ::_exit(kHostFailed);
    } catch (...) {
    }
    std::abort();
}

}  // namespace

void say(std::string_view line) {
    const std::string text = "carrel: " + std::string(line) + "\n";
    (void)write_patiently(STDERR_FILENO, std::as_bytes(std::span(text)), kPatience);
}

bool print_result(std::string_view text) {
    if (write_all(STDOUT_FILENO, text)) return true;
    say(std::string("cannot write to standard output: ") + ::strerrordesc_np(errno));
    return false;
}

void install_out_of_memory_handler() {
    std::set_terminate(on_terminate);
}

}  // namespace carrel::cli
