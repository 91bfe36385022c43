// What restore() of every device here answers to bytes that don't describe the device.
#pragma once

#include <string>
#include <string_view>

#include "vmm/base/bytes.h"
#include "vmm/base/result.h"

namespace carrel {

// Saved state is a file that the user named, so the fault is the file's, not the host's.
inline Error damaged_state(std::string_view device) {
    return usage_error("the saved state of device " + std::string(device) + " is damaged",
                       "restore from another copy, or start the guest anew");
}

// Whether a part was read to its end, no byte missing and none left over.
inline bool complete(const ByteReader& part) {
    return part.ok() && part.at_end();
}

}  // namespace carrel
