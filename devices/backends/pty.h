// Pty: a pseudo-terminal for a guest's console, which people attach to by its name (`screen /dev/pts/5`).
#pragma once

#include <string>

#include "vmm/base/fd.h"
#include "vmm/base/opener.h"
#include "vmm/base/result.h"
#include "vmm/base/stream_fd.h"

namespace carrel {

// The slave side is kept open here too, in raw mode. So the master never reports a hang-up: readers come and
// go, the guest notices nothing, and what nobody reads stays in the kernel's buffer and then in
// ConsoleOutput's, which drops its middle. Whoever attaches later sees the oldest 4 KiB or so that were left,
// the line about dropped bytes, and the end.
//
// Any thread, one at a time.
class Pty {
  public:
    static Result<Pty> open(Opener& opener);

    const std::string& name() const { return name_; }  // "/dev/pts/5"
    // For ConsoleOutput and ConsoleInput; they may outlive this object's other descriptors, but then a reader
    // that goes away is an end.
    Result<StreamFd> stream() const;
    // Waits until what was written has been read, for as long as somebody reads: what is left when the master
    // closes is lost. Nobody there costs 0.2 s.
    void wait_until_read() const;

  private:
    Pty(Fd master, Fd slave, std::string name)
        : master_(std::move(master)), slave_(std::move(slave)), name_(std::move(name)) {}

    Fd master_;
    Fd slave_;
    std::string name_;
};

}  // namespace carrel
