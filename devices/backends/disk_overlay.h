// DiskOverlay: what a guest has written over an image that stays as it is.
//
// A sparse file with room for the whole disk, and a bit for each sector of 512: set, the sector is here;
// clear, it is in the base still. A bit a sector means that nothing is ever read from the base to be written
// here.
//
//   ┌──────────────┬─────────────────────────┬─────────────────────────────────────────┐
//   │ header, 4096 │ bits, whole 4096s       │ the disk's sectors, each at its place   │
//   └──────────────┴─────────────────────────┴─────────────────────────────────────────┘
//
// An overlay that is kept has its bits in the file, mapped: a sector's bit is set after its data is written,
// and the guest's flush (fdatasync) puts both on the medium. So what was flushed survives the host's end; a
// sector that wasn't may be the old one, the new one, or zeros.
#pragma once

#include <sys/stat.h>

#include <cstdint>
#include <memory>
#include <span>
#include <string>

#include "devices/backends/image_lock.h"
#include "vmm/base/fd.h"
#include "vmm/base/mapping.h"
#include "vmm/base/opener.h"
#include "vmm/base/result.h"

namespace carrel {

class DiskOverlay {
  public:
    // Gone when it is closed, whatever ends us. In `folder`.
    static Result<std::unique_ptr<DiskOverlay>> temporary(Opener& opener, const std::string& folder,
                                                          uint64_t bytes, const char* key);
    // In `path`, made where it isn't there. It is for one base only, which mustn't be written meanwhile.
    static Result<std::unique_ptr<DiskOverlay>> kept(Opener& opener, const std::string& path,
                                                     const struct stat& base, uint64_t bytes,
                                                     const char* key);
    DiskOverlay(Fd fd, Mapping bits, uint64_t bytes);  // use those

    int fd() const { return fd_.get(); }
    // Where a byte of the disk is in fd().
    uint64_t place(uint64_t offset) const { return data_ + offset; }
    // How many of the bytes from `offset` on, which starts a sector, are in the same file, and whether it is
    // ours.
    struct Run {
        bool here;
        uint64_t bytes;
    };
    Run run(uint64_t offset, uint64_t bytes) const;
    // The whole sectors of the range are here from now on.
    void mark(uint64_t offset, uint64_t bytes);

  private:
    bool here(uint64_t sector) const { return (words_[sector / 64] >> sector % 64 & 1) != 0; }

    Fd fd_;
    Mapping bits_;
    std::span<uint64_t> words_;
    uint64_t data_;
    ImageLock lock_;  // of a kept one; goes before the descriptor
};

}  // namespace carrel
