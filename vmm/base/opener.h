// Opener and Spawner (spawner.h): the only ways from a path to a descriptor and from a name to a process
// (DESIGN.md section 10).
//
// In-process today, a broker process later: nothing below vmm/host calls open(2), stat(2) or exec(2) by
// itself. Devices get descriptors, never paths.
#pragma once

#include <string>
#include <vector>

#include "vmm/base/fd.h"
#include "vmm/base/result.h"

namespace carrel {

// Any thread.
class Opener {
  public:
    virtual ~Opener() = default;
    // open(2) with O_CLOEXEC added. The error names the path and says why.
    virtual Result<Fd> open(const std::string& path, int flags, unsigned mode = 0600) = 0;
    // A Unix stream socket that listens at `path`, which is made for this: what is there already is refused,
    // unless it is a socket at which nobody listens any more. It doesn't block. remove() it at the end.
    virtual Result<Fd> listen(const std::string& path) = 0;
    virtual void remove(const std::string& path) = 0;
    // One that is connected to who listens at `path`; never waits, and doesn't block.
    virtual Result<Fd> connect(const std::string& path) = 0;
};

class DirectOpener final : public Opener {
  public:
    Result<Fd> open(const std::string& path, int flags, unsigned mode = 0600) override;
    Result<Fd> listen(const std::string& path) override;
    void remove(const std::string& path) override;
    Result<Fd> connect(const std::string& path) override;
};

// Both are there, and are one file. Opens neither for reading or writing: a FIFO doesn't wait.
bool same_file(Opener& opener, const std::string& a, const std::string& b);

}  // namespace carrel
