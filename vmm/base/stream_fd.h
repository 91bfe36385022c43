// StreamFd: reads and writes that never wait, on descriptors that may not be ours alone.
//
// Standard input and output share their open file description with the user's shell and with whatever else
// runs in its pipeline. O_NONBLOCK belongs to the description, so setting it there breaks the others, and it
// stays set when we are gone. poll(2) before a blocking write isn't enough either: another writer may fill
// the pipe in between, and a terminal takes less than it promised. So:
//
//   socket                 MSG_DONTWAIT for each call
//   pipe, terminal         a description of our own, by opening /proc/self/fd/N once more with O_NONBLOCK
//   regular file, /dev/null, …  (what epoll refuses) plain calls: they don't wait for another process
//   what can't be opened again (another user's pipe or terminal)  O_NONBLOCK just around each call
#pragma once

#include <cstddef>
#include <span>

#include "vmm/base/clock.h"
#include "vmm/base/fd.h"
#include "vmm/base/result.h"

namespace carrel {

// One thread at a time.
class StreamFd {
  public:
    enum class Use { kRead, kWrite };

    // What a read or write came to.
    struct Outcome {
        size_t count = 0;
        int error = 0;  // errno; EAGAIN: wait for the descriptor to become ready
    };

    // For a descriptor that others may share. `fd` is duplicated and stays the caller's; its flags are as
    // they were after each call. Fails when `fd` isn't open.
    static Result<StreamFd> borrow(int fd, Use use);
    // For a descriptor that is ours alone (O_NONBLOCK is set and stays).
    static Result<StreamFd> own(Fd fd);

    // Never raise SIGPIPE on sockets; on pipes the process ignores it. EINTR is dealt with. A read of 0 bytes
    // without an error is the end.
    Outcome read(std::span<std::byte> into);
    Outcome write(std::span<const std::byte> bytes);
    // All of it, waiting at most `patience` for a slow reader. False: not all could be written.
    bool write_all(std::span<const std::byte> bytes, Nanoseconds patience);

    // False: epoll refuses it (regular files, /dev/null), and it is always ready.
    bool pollable() const { return kind_ != Kind::kAlwaysReady; }
    int fd() const { return fd_.get(); }

  private:
    enum class Kind { kOwnDescription, kSocket, kAlwaysReady, kSharedDescription };
    StreamFd(Fd fd, Kind kind) : fd_(std::move(fd)), kind_(kind) {}

    Fd fd_;
    Kind kind_;
};

// A few bytes to a descriptor that others may share, waiting at most `patience` for its reader: for lines of
// ours, also where no descriptor is left to be had. False: not all could be written.
bool write_patiently(int fd, std::span<const std::byte> bytes, Nanoseconds patience);

}  // namespace carrel
