#include "vmm/base/resident_code.h"

#include <link.h>
#include <sys/mman.h>
#include <unistd.h>

// The linker's: where this program's own file starts in memory.
extern "C" const ElfW(Ehdr) __ehdr_start;  // NOLINT(bugprone-reserved-identifier)

namespace carrel {

const std::byte* program_start() {
    return reinterpret_cast<const std::byte*>(&__ehdr_start);
}

std::span<const std::byte> program_code() {
    const std::byte* const file = program_start();
    const auto page = static_cast<size_t>(::sysconf(_SC_PAGESIZE));
    // Not from the file's start to the code's end: between two segments the kernel maps what else it is asked
    // for.
    const std::span headers(reinterpret_cast<const ElfW(Phdr)*>(file + __ehdr_start.e_phoff),
                            __ehdr_start.e_phnum);
    for (const auto& segment : headers) {
        if (segment.p_type != PT_LOAD || (segment.p_flags & PF_X) == 0) continue;
        const size_t skip = segment.p_vaddr % page;
        return {file + segment.p_vaddr - skip, (skip + segment.p_filesz + page - 1) / page * page};
    }
    return {};
}

void give_back_code() {
#ifdef NDEBUG
    const auto code = program_code();
    // Of a private mapping that nobody writes, this drops what the file has. A failure costs memory only.
    (void)::madvise(const_cast<std::byte*>(code.data()), code.size(), MADV_DONTNEED);
#endif
}

}  // namespace carrel
