// DiskRing: a DiskIo that the kernel does by itself (io_uring), straight into guest memory.
//
// Files are registered, buffers never are: that would pin guest memory. The ring is restricted to the
// operations that it needs before it is switched on, so that nothing else can be asked of the kernel through
// it.
#pragma once

#include <liburing.h>

#include "devices/backends/disk_io.h"
#include "vmm/base/fd.h"

namespace carrel {

class DiskRing final : public DiskIo {
  public:
    static Result<std::unique_ptr<DiskRing>> create(std::span<const int> files, unsigned entries);
    DiskRing() = default;  // use create()
    ~DiskRing() override;
    DiskRing(const DiskRing&) = delete;
    DiskRing& operator=(const DiskRing&) = delete;

    void start(const DiskOperation& operation) override;
    bool submit() override;
    bool room() const override { return under_way_ < entries_; }
    unsigned under_way() const override { return under_way_; }
    int event_fd() const override { return event_.get(); }
    std::optional<Ended> reap() override;

  private:
    io_uring ring_{};
    bool open_ = false;
    Fd event_;
    unsigned entries_ = 0;
    unsigned under_way_ = 0;
};

}  // namespace carrel
