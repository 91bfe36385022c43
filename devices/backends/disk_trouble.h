// DiskTrouble: tells the host's side, in a line, that its disk fails a guest. Not in a flood: a guest asks
// again and again.
#pragma once

#include <string>

#include "devices/backends/disk_io.h"
#include "vmm/base/clock.h"
#include "vmm/base/log.h"

namespace carrel {

// One thread at a time. The log outlives it; null: nobody wants to know.
class DiskTrouble {
  public:
    DiskTrouble(std::string path, Log* log) : path_(std::move(path)), log_(log) {}

    void failed(DiskOperation::Kind kind, int error, Nanoseconds now);
    void shrunk(uint64_t bytes, Nanoseconds now);
    // Requests that nobody could wait for any longer.
    void stuck(size_t requests);

  private:
    static constexpr Nanoseconds kInterval = 60 * kSecond;
    const std::string path_;
    Log* const log_;
    RateLimit limit_{1, kInterval};
};

}  // namespace carrel
