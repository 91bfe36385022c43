// The last steps of loading Linux by the 64-bit entry: boot_params, command line, initrd, registers.
#pragma once

#include <asm/bootparam.h>

#include "boot/load_context.h"

namespace carrel::boot {

// The setup header of a kernel that comes without one (an ELF file): what a kernel of today would have said.
setup_header default_setup_header();

// `header` is the kernel's, and becomes the guest's with our fields filled in; `kaslr`: the kernel may choose
// the places of its own memory regions at random (KASLR_FLAG). Reads the initrd. Last: fills
// context.result.cpu.
Result<void> enter_linux64(LoadContext& context, const setup_header& header, uint64_t entry, bool kaslr);

}  // namespace carrel::boot
