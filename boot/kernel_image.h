// KernelImage: the bytes of a kernel, from a file that is mapped or from the program itself.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>

#include "boot/loader.h"
#include "vmm/base/guarded_mapping.h"
#include "vmm/base/result.h"

namespace carrel::boot {

// Which content of which file: as long as none of it changes, the bytes are taken to be the same.
struct FileIdentity {
    uint64_t device = 0;
    uint64_t inode = 0;
    int64_t mtime_ns = 0;
    uint64_t size = 0;
    auto operator<=>(const FileIdentity&) const = default;
};

// Move-only. The bytes are hostile, and those of a file may even change while they are read: copy a header
// once, check the copy, use the copy.
class KernelImage {
  public:
    static Result<KernelImage> open(const InputFile& file);
    // Borrowed bytes, which must outlive the image.
    static KernelImage embedded(std::span<const std::byte> bytes, std::string name);

    std::span<const std::byte> bytes() const { return bytes_; }
    const std::string& name() const { return name_; }
    const std::optional<FileIdentity>& identity() const { return identity_; }  // none: not from a file
    // An error if the file lost bytes while it was read. Ask before you believe anything that was read.
    Result<void> check_whole() const;

  private:
    KernelImage() = default;
    std::optional<GuardedFileMapping> mapping_;
    std::span<const std::byte> bytes_;
    std::string name_;
    std::optional<FileIdentity> identity_;
};

// The size and identity of a file that loaders can read: regular, not empty. `role` says what it is for ("a
// kernel").
Result<FileIdentity> identify_input(const InputFile& file, const char* role);

}  // namespace carrel::boot
