#include <sys/prctl.h>
#include <ucontext.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstdio>

#include "vmm/base/crash_report.h"
#include "vmm/base/resident_code.h"

namespace carrel::crash_registry {
namespace {

const char* fault_name(int signal) {
    switch (signal) {
        case SIGSEGV: return "SIGSEGV";
        case SIGBUS: return "SIGBUS";
        case SIGILL: return "SIGILL";
        case SIGFPE: return "SIGFPE";
        default: return nullptr;
    }
}

}  // namespace

void tell_crash(int signal, const siginfo_t& info, const void* context) {
    const char* const name = fault_name(signal);
    if (name == nullptr || info.si_code <= 0) return;  // sigaction(2): 0 and less were sent by a process
    const auto& registers = static_cast<const ucontext_t*>(context)->uc_mcontext.gregs;
    const auto place =
        static_cast<uintptr_t>(registers[REG_RIP]) - reinterpret_cast<uintptr_t>(program_start());
    std::array<char, 16> thread{};  // prctl(2), PR_GET_NAME
    ::prctl(PR_GET_NAME, thread.data());
    // As in check_failed(): memory may be in any state.
    std::array<char, 256> text;
    const int length = std::snprintf(
        text.data(), text.size(),
        "\ncarrel: bug: %s (code %d) in thread %s, at carrel+0x%lx, stack 0x%llx, address 0x%lx\n", name,
        info.si_code, thread.data(), static_cast<unsigned long>(place),
        static_cast<unsigned long long>(registers[REG_RSP]), reinterpret_cast<unsigned long>(info.si_addr));
    if (length <= 0) return;
    const size_t size = std::min(static_cast<size_t>(length), text.size() - 1);
    [[maybe_unused]] const auto written = ::write(STDERR_FILENO, text.data(), size);
}

}  // namespace carrel::crash_registry
