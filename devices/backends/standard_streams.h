// standard_streams: descriptors 0, 1 and 2 are what their names say, whatever we were started with.
#pragma once

#include "vmm/base/opener.h"
#include "vmm/base/result.h"

namespace carrel {

// Opens /dev/null for each of descriptors 0 to 2 that is closed (`carrel run <&-`). Otherwise the next file
// to be opened, /dev/kvm or a disk, would take the number, and the guest's console would be written into it.
// First thing in main().
Result<void> fill_standard_streams(Opener& opener);

}  // namespace carrel
