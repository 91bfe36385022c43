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
#include "vmm/model/ram_map.h"

namespace carrel::boot {

class KernelImage;
class PayloadCache;

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

// By which entry an ELF kernel is started.
enum class BootProtocol {
    kAuto,     // 64-bit where e_entry is an address in the image, else PVH
    kLinux64,  // the 64-bit entry of the Linux/x86 boot protocol, boot_params in RSI
    kPvh,      // the 32-bit entry that a PVH note names, hvm_start_info in EBX
};

// What a loader is given. Everything is borrowed for the length of the call.
struct BootRequest {
    std::string cmdline;                // final: see final_cmdline()
    const InputFile* initrd = nullptr;  // none: null
    std::span<const BootModule> modules = {};
    Gpa rsdp{0};  // where the ACPI tables were put
    std::span<const std::byte> entropy =
        {};  // at least 64 bytes from the host: KASLR and the guest's RNG seed
    std::span<const RamRange> reserved = {};      // not for the kernel: told in its memory map, in RAM or not
    BootProtocol protocol = BootProtocol::kAuto;  // for ELF files; tests force it
    PayloadCache* payload_cache = nullptr;        // where unpacked payloads are kept; none: null
};

// What a loader did.
struct BootResult {
    CpuState cpu;        // of the boot processor; the others wait for INIT/SIPI
    std::string format;  // "bzImage (lz4), Linux 6.1.0-…", for -v
    Gpa image_base{0};   // where the kernel's image begins
    uint64_t image_size = 0;
    std::optional<uint64_t> virtual_base;  // where _text is linked or relocated to, if known
    std::vector<std::string> notes;        // what a person should know: "booted without KASLR: …"
};

// One kernel format. Stateless; any thread.
class BootLoader {
  public:
    virtual ~BootLoader() = default;
    // Whether `image` is meant to be of this format; a damaged one still is, and load() says what is wrong
    // with it.
    virtual bool recognises(const KernelImage& image) const = 0;
    // Errors are sentences: which file, what is wrong, at which offset, what to do.
    virtual Result<BootResult> load(const KernelImage& image, const BootRequest& request,
                                    GuestMemory& memory) const = 0;
};

// Puts the kernel, the initrd and what the boot protocol wants into `memory`, which must be fresh (all zeros,
// no page touched but `request.reserved` and ACPI's): what is zero in the kernel isn't written. After an
// error the memory's content is undefined. Any thread.
Result<BootResult> load_kernel(const KernelImage& kernel, const BootRequest& request, GuestMemory& memory);
// The same from a file.
Result<BootResult> load_kernel(const InputFile& kernel, const BootRequest& request, GuestMemory& memory);

}  // namespace carrel::boot
