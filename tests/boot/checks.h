// What the tests of the loaders ask again and again.
#pragma once

#include <algorithm>
#include <string>

#include "boot/kernel_image.h"
#include "boot/loader.h"
#include "tests/boot/files.h"
#include "tests/catch.h"

namespace carrel::boot::testing {

inline Result<BootResult> load(const Bytes& file, const BootRequest& request, GuestMemory& memory) {
    return load_kernel(KernelImage::embedded(file, "kernel"), request, memory);
}

// The sentence of the error that loading `file` must end in.
inline std::string refusal(const Bytes& file, const BootRequest& request = {}, uint64_t size = 64 * kMiB) {
    const auto memory = make_memory(size);
    const auto result = load(file, request, *memory);
    REQUIRE_FALSE(result.ok());
    CHECK(result.error().fault == Fault::kUsage);
    CHECK_FALSE(result.error().advice.empty());
    return result.error().sentence();
}

inline bool contains(const std::string& text, const std::string& part) {
    UNSCOPED_INFO(text);
    return text.find(part) != std::string::npos;
}

inline bool all_bytes(const GuestMemory& memory, uint64_t at, uint64_t size, int value) {
    const auto bytes = memory.slice(Gpa{at}, size);
    return bytes &&
           std::all_of(bytes->begin(), bytes->end(), [&](std::byte b) { return b == std::byte(value); });
}

}  // namespace carrel::boot::testing
