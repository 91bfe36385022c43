// CommonMemory: what a host and one guest's process both see: the ring of the guest's console, and the board
// by which the host's scheduler and the guest's vCPUs deal with each other. Each guest has a piece of its
// own, so that a process which goes wrong writes over nobody else's. Its size is sealed: one that cut it
// short would raise SIGBUS in the host.
#pragma once

#include <memory>

#include "devices/backends/console_ring.h"
#include "vmm/base/fd.h"
#include "vmm/base/mapping.h"
#include "vmm/sched/share_board.h"

namespace carrel::isolate {

class CommonMemory {
  public:
    static constexpr uint32_t kMostVcpus = 1024;

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

    // `bell`: as ShareBoard's; it and this outlive it.
    sched::ShareBoard board(uint32_t vcpus, int bell) const {
        return {mapping_.data() + kBoardAt, vcpus, bell};
    }

  private:
    struct Layout {
        ConsoleRing console;
    };
    static constexpr size_t kPage = 4096;
    static constexpr size_t kBoardAt = (sizeof(Layout) + kPage - 1) / kPage * kPage;
    static constexpr size_t kSize = kBoardAt + sched::ShareBoard::size_of(kMostVcpus);
    static Result<std::shared_ptr<CommonMemory>> map(Fd fd);
    Layout& layout() const { return *reinterpret_cast<Layout*>(mapping_.data()); }

    Fd fd_;
    Mapping mapping_;
};

}  // namespace carrel::isolate
