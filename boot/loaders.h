// The formats that load_kernel() knows.
#pragma once

#include "boot/loader.h"

namespace carrel::boot {

const BootLoader& bzimage_loader();
const BootLoader& elf_loader();

}  // namespace carrel::boot
