// ImageLock: who may use a disk's file at the same time: one writer, or any number of readers.
#pragma once

#include <string>
#include <utility>

#include "vmm/base/fd.h"
#include "vmm/base/opener.h"
#include "vmm/base/result.h"

namespace carrel {

// A lock of the open file description (F_OFD_SETLK), since POSIX locks don't conflict between two guests of
// one process. It is given back explicitly: io_uring keeps the description open for a moment after our
// descriptor and its ring are closed, and the next guest must find the image free.
class ImageLock {
  public:
    // Errors: `key` is what the user said `path` by. Who holds the lock is named where it can be found out.
    // `advice` for who may share it with nobody.
    static Result<ImageLock> take(Opener& opener, const Fd& fd, const std::string& path, bool read_only,
                                  const char* key, const char* advice = kShare);
    ImageLock() = default;
    ImageLock(ImageLock&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
    ImageLock& operator=(ImageLock&& other) noexcept {
        std::swap(fd_, other.fd_);
        return *this;
    }
    ~ImageLock();

  private:
    static constexpr const char* kShare = "stop the other one, or give both read-only (,ro) or an overlay";
    explicit ImageLock(int fd) : fd_(fd) {}
    int fd_ = -1;
};

}  // namespace carrel
