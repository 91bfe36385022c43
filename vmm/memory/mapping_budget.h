// MappingBudget: how many mappings (vm.max_map_count) the VMs of this process may have altogether.
#pragma once

#include <cstdint>
#include <utility>

#include "vmm/base/mutex.h"
#include "vmm/base/opener.h"
#include "vmm/base/result.h"

namespace carrel {

// A guest with a memory quota cuts its RAM into mappings, chunk by chunk, as it and its quota will have it
// (chunk_mapping.h): after 32,757 alternating grants the kernel refused the next (KVM-FACTS.md), and what it
// refuses may as well be another guest's, or our heap's. So each VM is admitted with the most that it can
// come to. Any thread; outlives its shares.
class MappingBudget {
  public:
    // Of one VM; what it took goes back with it.
    class Share {
      public:
        Share() = default;
        Share(Share&& other) noexcept
            : budget_(std::exchange(other.budget_, nullptr)), mappings_(other.mappings_) {}
        Share& operator=(Share&& other) noexcept {
            std::swap(budget_, other.budget_);
            std::swap(mappings_, other.mappings_);
            return *this;
        }
        Share(const Share&) = delete;
        Share& operator=(const Share&) = delete;
        ~Share() {
            if (budget_ != nullptr) budget_->give_back(mappings_);
        }

      private:
        friend class MappingBudget;
        Share(MappingBudget* budget, uint64_t mappings) : budget_(budget), mappings_(mappings) {}
        MappingBudget* budget_ = nullptr;
        uint64_t mappings_ = 0;
    };

    // The sysctl is read each time: a person may have raised it. The error has the sums.
    Result<Share> take(Opener& opener, uint64_t mappings) EXCLUDES(mutex_);
    uint64_t taken() const EXCLUDES(mutex_);

  private:
    void give_back(uint64_t mappings) EXCLUDES(mutex_);
    mutable Mutex mutex_;
    uint64_t taken_ GUARDED_BY(mutex_) = 0;
};

}  // namespace carrel
