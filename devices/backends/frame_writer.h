// FrameWriter: the other direction of frame_reader.h.
//
// Small frames are gathered and go out together; a large one goes straight from where it lies.
//
// Debian 12's passt must be fed with care: it loses its place in the stream when what it finds in its socket
// ends within a length or just behind one, and when a frame comes in more than two parts. A Unix socket takes
// up to 48 KiB in one piece (unix_stream_sendmsg: 32 KiB of pages and 16 KiB before them), all of it or
// nothing. So frames are gathered up to kGathered bytes, which is one piece, and a large frame begins a piece
// of its own; of one that doesn't fit, the rest is one piece again.
#pragma once

#include <sys/uio.h>

#include <cstddef>
#include <span>
#include <vector>

#include "devices/backends/frame_reader.h"

namespace carrel {

// One thread at a time. Allocates at its creation only.
class FrameWriter {
  public:
    static constexpr size_t kGathered = size_t{32} * 1024;
    static constexpr size_t kSmall = 2048;  // up to here, a copy costs less than a system call

    FrameWriter();

    // 0, -EAGAIN (try again when `fd` takes more) or another -errno. The frame's pieces may change meanwhile,
    // as guest memory does: only their bytes would.
    int send(int fd, std::span<const iovec> frame);
    int flush(int fd);
    bool empty() const { return begin_ == end_; }
    void clear() { begin_ = end_ = 0; }

  private:
    void gather(std::span<const iovec> frame, size_t length, size_t skipped);
    int send_large(int fd, std::span<const iovec> frame, size_t length);

    std::vector<std::byte> buffer_;
    size_t begin_ = 0, end_ = 0;  // what has to go out
    std::vector<iovec> pieces_;
};

}  // namespace carrel
