// DiskImage: a file or block device that a guest's disk lies in, opened, locked and measured.
#pragma once

#include <cstdint>
#include <string>
#include <utility>

#include "vmm/base/fd.h"
#include "vmm/base/opener.h"
#include "vmm/base/result.h"

namespace carrel {

// A lock of the open file description. It is given back explicitly: io_uring keeps the description open for a
// moment after our descriptor and its ring are closed, and the next guest must find the image free.
class ImageLock {
  public:
    ImageLock() = default;
    explicit ImageLock(int fd) : fd_(fd) {}
    ImageLock(ImageLock&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
    ImageLock& operator=(ImageLock&& other) noexcept {
        std::swap(fd_, other.fd_);
        return *this;
    }
    ~ImageLock();

  private:
    int fd_ = -1;
};

// The descriptor stays open as long as the guest may use it; the lock goes with it.
struct DiskImage {
    Fd fd;
    uint64_t bytes = 0;         // whole sectors of 512
    uint32_t block_size = 512;  // what the host writes at once: 512 or 4096
    bool read_only = false;
    // In tmpfs, which never waits for a device. Debian 12's kernel can't tell io_uring so: each request would
    // be handed to a thread of the kernel's, which costs more than the request. Plain calls, then.
    bool in_memory = false;
    ImageLock lock;  // goes before the descriptor

    // Raw, never guessed: a guest can write a header that looks like another format. The lock is one of the
    // open file description (F_OFD_SETLK), since POSIX locks don't conflict between two guests of one
    // process: one writer, or any number of readers. Errors: `key` is what the user said it by.
    static Result<DiskImage> open(Opener& opener, const std::string& path, bool read_only, const char* key);
};

}  // namespace carrel
