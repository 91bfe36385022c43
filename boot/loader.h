// BootLoader: from a file that a person named to a machine that is ready to run.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "vmm/base/fd.h"
#include "vmm/base/result.h"
#include "vmm/memory/guest_memory.h"
#include "vmm/model/cpu_state_x86.h"
#include "vmm/model/gpa.h"

namespace carrel::boot {

// An open file and what to call it in messages.
struct InputFile {
    Fd fd;
    std::string name;
};

// A further file that a boot protocol hands to the kernel (Multiboot modules and the like; Linux takes none).
struct BootModule {
    InputFile file;
    std::string cmdline;
};

// What a loader is given. Everything is borrowed for the length of the call.
struct BootRequest {
    std::string cmdline;                      // final: see final_cmdline()
    const InputFile* initrd = nullptr;        // none: null
    std::span<const BootModule> modules = {};
    Gpa rsdp{0};                              // where the ACPI tables were put
    std::span<const std::byte> entropy = {};  // at least 64 bytes from the host: KASLR and the guest's RNG seed
};

// What a loader did.
struct BootResult {
    CpuState cpu;                        // of the boot processor; the others wait for INIT/SIPI
    std::string format;                  // "bzImage (lz4), Linux 6.1.0-…", for -v
    Gpa image_base{0};                   // where the kernel's image begins
    uint64_t image_size = 0;
    std::optional<uint64_t> virtual_base;  // where _text is linked or relocated to, if known
    std::vector<std::string> notes;      // what a person should know: "booted without KASLR: …"
};

}  // namespace carrel::boot
