// Userfault: one userfaultfd: who is told when a page of ours that isn't there is touched. userfaultfd(2).
#pragma once

#include <cstdint>
#include <span>

#include "vmm/base/fd.h"
#include "vmm/base/opener.h"
#include "vmm/base/result.h"

namespace carrel {

struct MissingPage {
    std::byte* address;
    bool write;
};

// Any thread. What KVM-FACTS.md says of it ("Guest memory behind userfaultfd") is cited where it is used.
class Userfault {
  public:
    // By /dev/userfaultfd (Linux 6.1), else by the system call. Both make one that sees the kernel's own
    // touches, too: without them (UFFD_USER_MODE_ONLY) KVM_RUN fails on a missing page. The error says what a
    // person can do.
    static Result<Userfault> open(Opener& opener);

    int fd() const { return fd_.get(); }
    // Missing pages in the range come to us from now on; those that are there stay. False: refused (errno).
    bool watch(std::span<std::byte> range) const;
    // A zero page for each of them, and whoever waits goes on; one that is there already is left alone.
    bool give_zeros(std::span<std::byte> pages) const;
    // The same with this content.
    bool give(std::span<std::byte> pages, std::span<const std::byte> content) const;
    // Whoever waits for a page of the range tries again.
    void wake(std::span<std::byte> range) const;
    // The next ones that are waited for; nothing: none now. Never waits.
    size_t read(std::span<MissingPage> pages) const;

  private:
    explicit Userfault(Fd fd) : fd_(std::move(fd)) {}
    Fd fd_;
};

}  // namespace carrel
