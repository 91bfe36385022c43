// Mapping: owns one range of our address space.
#pragma once

#include <sys/mman.h>

#include <cstddef>
#include <span>
#include <utility>

#include "vmm/base/result.h"

namespace carrel {

// Move-only; unmaps on destruction.
class Mapping {
  public:
    Mapping() = default;
    // mmap(2) with the same arguments; `what` names the thing in an error ("guest memory, 512 MiB").
    static Result<Mapping> map(size_t size, int protection, int flags, int fd, off_t offset,
                               const char* what);
    // Takes a range over that somebody else has mapped.
    static Mapping adopt(void* base, size_t size) { return Mapping(static_cast<std::byte*>(base), size); }

    Mapping(Mapping&& other) noexcept
        : base_(std::exchange(other.base_, nullptr)), size_(std::exchange(other.size_, 0)) {}
    Mapping& operator=(Mapping&& other) noexcept {
        std::swap(base_, other.base_);
        std::swap(size_, other.size_);
        return *this;
    }
    Mapping(const Mapping&) = delete;
    Mapping& operator=(const Mapping&) = delete;
    ~Mapping() {
        if (base_ != nullptr) ::munmap(base_, size_);
    }

    std::byte* data() const { return base_; }
    size_t size() const { return size_; }
    std::span<std::byte> bytes() const { return {base_, size_}; }
    bool valid() const { return base_ != nullptr; }
    // Its end is the caller's business from now on.
    std::span<std::byte> release() { return {std::exchange(base_, nullptr), std::exchange(size_, 0)}; }

  private:
    Mapping(std::byte* base, size_t size) : base_(base), size_(size) {}
    std::byte* base_ = nullptr;
    size_t size_ = 0;
};

}  // namespace carrel
