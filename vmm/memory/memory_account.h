// MemoryAccount: how much of its quota a VM has in use. Pure: who holds it guards it.
#pragma once

#include <algorithm>
#include <cstdint>

#include "vmm/base/check.h"

namespace carrel {

// In pages. A page is charged before it may become resident, and released after it has gone, so that what is
// resident never exceeds what is charged, and that never the limit. (A limit lowered below what is charged is
// the one exception: nothing is charged then until enough has gone.)
class MemoryAccount {
  public:
    explicit MemoryAccount(uint64_t limit) : limit_(limit) {}

    // All or nothing. `spare`: what must be left afterwards, for those who come before this one.
    bool charge(uint64_t pages, uint64_t spare = 0) {
        if (charged_ > limit_ || spare > limit_ - charged_ || pages > limit_ - charged_ - spare) return false;
        charged_ += pages;
        peak_ = std::max(peak_, charged_);
        return true;
    }
    void release(uint64_t pages) {
        CHECK(pages <= charged_);
        charged_ -= pages;
    }
    void set_limit(uint64_t pages) { limit_ = pages; }

    uint64_t charged() const { return charged_; }
    uint64_t limit() const { return limit_; }
    uint64_t peak() const { return peak_; }  // the most that was charged at a time
    uint64_t left() const { return limit_ - std::min(charged_, limit_); }

  private:
    uint64_t limit_;
    uint64_t charged_ = 0;
    uint64_t peak_ = 0;
};

}  // namespace carrel
