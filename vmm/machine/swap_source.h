// SwapSource: the file of --swap: made, locked, and gone in the end.
#pragma once

#include <cstdint>
#include <string>

#include "devices/backends/image_lock.h"
#include "vmm/base/opener.h"
#include "vmm/base/result.h"
#include "vmm/memory/swap_file.h"
#include "vmm/model/memory_quota.h"

namespace carrel {

// The file is made where there is none. One that there is must be empty, or left over from a guest whose
// process was killed (it says so in its first bytes): a wrong name doesn't cost anybody a file.
class SwapSource {
  public:
    // `memory`: of the guest, in bytes; more than that is never in the file. `opener` outlives it.
    static Result<SwapSource> open(Opener& opener, const SwapConfig& config, uint64_t memory);
    SwapSource() = default;
    SwapSource(SwapSource&&) noexcept = default;
    SwapSource& operator=(SwapSource&& other) noexcept;
    ~SwapSource() { close(); }

    Result<SwapFile> file() const;
    // Nobody uses the file any more: it is empty and removed, and its lock is free.
    void close();

  private:
    SwapSource(Opener& opener, std::string path, Fd fd, ImageLock lock, uint64_t size);
    Opener* opener_ = nullptr;
    std::string path_;
    Fd fd_;
    ImageLock lock_;
    uint64_t size_ = 0;
};

}  // namespace carrel
