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

// What fstat(2) said of a file before it is read, so that what was written to it meanwhile doesn't pass for
// one content.
struct FileState {
    FileIdentity identity;
    int64_t ctime_ns = 0;
    uint64_t links = 0;
};
// The state of a file that loaders can read: regular, on a file system that keeps what it is given, not
// empty. `role` says what it is for ("a kernel").
Result<FileState> examine_input(const InputFile& file, const char* role);
// An error where the file isn't what it was `before`. `fd` and `name` are its own.
Result<void> check_unchanged(int fd, const std::string& name, const FileState& before);

// Move-only. The bytes are hostile, and those of a file may even change while they are read: copy a header
// once, check the copy, use the copy.
class KernelImage {
  public:
    // The file is borrowed.
    static Result<KernelImage> open(const InputFile& file);
    // Borrowed bytes, which must outlive the image.
    static KernelImage embedded(std::span<const std::byte> bytes, std::string name);

    std::span<const std::byte> bytes() const { return bytes_; }
    const std::string& name() const { return name_; }
    std::optional<FileIdentity> identity() const {  // none: not from a file
        return state_ ? std::optional(state_->identity) : std::nullopt;
    }
    // An error if the file lost bytes or was written while it was read. Ask before you believe anything that
    // was read.
    Result<void> check_whole() const;

  private:
    KernelImage() = default;
    std::optional<GuardedFileMapping> mapping_;
    std::span<const std::byte> bytes_;
    std::string name_;
    int fd_ = -1;
    std::optional<FileState> state_;
};

}  // namespace carrel::boot
