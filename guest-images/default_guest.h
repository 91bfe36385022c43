// The guest that carrel runs when it is given no kernel: an ELF64 file with the 64-bit Linux entry and a PVH
// note, built from guest-images/default. Read-only bytes that live as long as the program; any thread.
#pragma once
#include <cstddef>
#include <span>

namespace carrel {

std::span<const std::byte> default_guest_image();

}  // namespace carrel
