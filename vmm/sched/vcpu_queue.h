// VcpuQueue: first in, first out, and any may leave. The links are in the records, so that nothing is
// allocated.
#pragma once

#include <cstdint>
#include <vector>

namespace carrel::sched {

inline constexpr uint32_t kNobody = UINT32_MAX;

struct Links {
    uint32_t previous = kNobody;
    uint32_t next = kNobody;
};

template <class Record, Links Record::*links>
class VcpuQueue {
  public:
    bool empty() const { return size_ == 0; }
    uint32_t size() const { return size_; }
    uint32_t front() const { return first_; }

    void append(std::vector<Record>& records, uint32_t id) {
        records[id].*links = {last_, kNobody};
        (last_ == kNobody ? first_ : (records[last_].*links).next) = id;
        last_ = id;
        ++size_;
    }

    void remove(std::vector<Record>& records, uint32_t id) {
        const Links own = records[id].*links;
        (own.previous == kNobody ? first_ : (records[own.previous].*links).next) = own.next;
        (own.next == kNobody ? last_ : (records[own.next].*links).previous) = own.previous;
        --size_;
    }

  private:
    uint32_t first_ = kNobody;
    uint32_t last_ = kNobody;
    uint32_t size_ = 0;
};

}  // namespace carrel::sched
