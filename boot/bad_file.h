// How the loaders say that a file is not what it should be: which file, where in it, what, what to do.
#pragma once

#include <fmt/core.h>

#include <cstdint>
#include <string>

#include "vmm/base/result.h"

namespace carrel::boot {

inline constexpr const char* kCopyAgain = "the file is damaged or cut short: copy or build it again";

// "NAME, offset 0x…: what; advice". `offset` counts from the start of the file.
inline Error bad_file(const std::string& name, uint64_t offset, const std::string& what,
                      std::string advice = kCopyAgain) {
    return usage_error(fmt::format("{}, offset {:#x}: {}", name, offset, what), std::move(advice));
}

// Where in which file a number stands, and what its format calls it.
struct FileField {
    std::string file;
    const char* name = "";
    uint64_t offset = 0;
};

inline Error bad_file(const FileField& field, const std::string& what, std::string advice = kCopyAgain) {
    return bad_file(field.file, field.offset, what, std::move(advice));
}

}  // namespace carrel::boot
