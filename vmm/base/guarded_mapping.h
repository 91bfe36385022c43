// GuardedFileMapping: a file mapped for reading that may shrink at any moment.
#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <utility>

#include "vmm/base/mapping.h"
#include "vmm/base/result.h"

namespace carrel {

// Move-only. With crash_registry::install_sigbus_handler() in place, reading beyond a new end gives zeros,
// and shrunk() says so afterwards: ask it before you believe anything that was read. Any thread may read.
class GuardedFileMapping {
  public:
    // `size` bytes of `fd` from its start, all read in at once; `name` is for errors. The descriptor isn't
    // kept.
    static Result<GuardedFileMapping> map(int fd, size_t size, const std::string& name);

    GuardedFileMapping(GuardedFileMapping&& other) noexcept
        : mapping_(std::move(other.mapping_)), slot_(std::exchange(other.slot_, std::nullopt)) {}
    GuardedFileMapping& operator=(GuardedFileMapping&&) = delete;
    GuardedFileMapping(const GuardedFileMapping&) = delete;
    GuardedFileMapping& operator=(const GuardedFileMapping&) = delete;
    ~GuardedFileMapping();

    std::span<const std::byte> bytes() const { return mapping_.bytes(); }
    bool shrunk() const;

  private:
    explicit GuardedFileMapping(Mapping mapping);
    Mapping mapping_;
    std::optional<size_t> slot_;
};

}  // namespace carrel
