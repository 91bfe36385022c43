#include "vmm/base/resident_code.h"

#include <sys/mman.h>
#include <unistd.h>

#include <cstdint>

// Where the linker put the program's code (ld's default script).
extern "C" const char __executable_start;  // NOLINT(bugprone-reserved-identifier)
extern "C" const char etext;

namespace carrel {

void give_back_code() {
#ifdef NDEBUG
    const auto page = static_cast<uintptr_t>(::sysconf(_SC_PAGESIZE));
    const auto begin = reinterpret_cast<uintptr_t>(&__executable_start);
    const auto end = (reinterpret_cast<uintptr_t>(&etext) + page - 1) & ~(page - 1);
    // Of a private mapping that nobody writes, this drops what the file has. A failure costs memory only.
    (void)::madvise(reinterpret_cast<void*>(begin), end - begin, MADV_DONTNEED);
#endif
}

}  // namespace carrel
