// Pieces: the buffers of a chain as ranges of our address space, each checked to be guest RAM.
#pragma once

#include <sys/uio.h>

#include <cstddef>
#include <span>

namespace carrel::virtio {

// Byte is `const std::byte` for what we may read, `std::byte` for what we may write. None is empty. Valid
// until the chain ends.
template <class Byte>
class Pieces {
  public:
    Pieces() = default;
    explicit Pieces(std::span<const iovec> pieces) : pieces_(pieces) {}

    size_t size() const { return pieces_.size(); }
    bool empty() const { return pieces_.empty(); }
    std::span<Byte> operator[](size_t i) const {
        return {static_cast<Byte*>(pieces_[i].iov_base), pieces_[i].iov_len};
    }
    // For writev and the like of what is readable, readv and the like of what is writable: an iovec itself
    // doesn't know the difference.
    std::span<const iovec> iovecs() const { return pieces_; }

  private:
    std::span<const iovec> pieces_;
};

using ReadablePieces = Pieces<const std::byte>;
using WritablePieces = Pieces<std::byte>;

}  // namespace carrel::virtio
