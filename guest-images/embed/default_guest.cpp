// Gives the embedded bytes (default_guest.S) their C++ type.
#include "guest-images/default_guest.h"

extern "C" {
extern const std::byte carrel_default_guest_start[];
extern const std::byte carrel_default_guest_end[];
}

namespace carrel {

std::span<const std::byte> default_guest_image() {
    return {carrel_default_guest_start, carrel_default_guest_end};
}

}  // namespace carrel
