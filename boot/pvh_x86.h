// PVH, the boot protocol of Xen that KVM's users share (Xen docs/misc/pvh.pandoc,
// public/arch-x86/hvm/start_info.h).
#pragma once

#include <cstdint>

#include "boot/load_context.h"

namespace carrel::boot {

// Reads the initrd, writes hvm_start_info with its lists, fills context.result.cpu. The image is in place.
Result<void> enter_pvh(LoadContext& context, uint32_t entry);

}  // namespace carrel::boot
