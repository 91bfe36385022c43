// CommonMemory: what a host and one guest's process both see: the ring of the guest's console. Each guest has
// a piece of its own, so that a process which goes wrong writes over nobody else's. Its size is sealed: one
// that cut it short would raise SIGBUS in the host.
#pragma once

#include <memory>

#include "devices/backends/console_ring.h"
#include "vmm/base/fd.h"
#include "vmm/base/mapping.h"

namespace carrel::isolate {

class CommonMemory {
  public:
    // The host's side, which makes it;
    static Result<std::shared_ptr<CommonMemory>> create();
    // and the process's, which has inherited `fd`.
    static Result<std::shared_ptr<CommonMemory>> adopt(Fd fd);
    CommonMemory(Fd fd, Mapping mapping) : fd_(std::move(fd)), mapping_(std::move(mapping)) {}

    int fd() const { return fd_.get(); }
    // Keeps the memory for as long as it is used.
    static std::shared_ptr<ConsoleRing> console(const std::shared_ptr<CommonMemory>& memory) {
        return {memory, &memory->layout().console};
    }

  private:
    struct Layout {
        ConsoleRing console;
    };
    static Result<std::shared_ptr<CommonMemory>> map(Fd fd);
    Layout& layout() const { return *reinterpret_cast<Layout*>(mapping_.data()); }

    Fd fd_;
    Mapping mapping_;
};

}  // namespace carrel::isolate
