// IndexedHeap: the smallest of many, of which any may be taken out by its id. No allocation but in reserve().
//
// Four children a node, not two: half the levels, and the four are one line of the cache. That is what counts
// with 10,000 entries.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "vmm/base/check.h"

namespace carrel::sched {

class IndexedHeap {
  public:
    struct Entry {
        int64_t key;
        uint32_t tie;  // between equal keys the earlier goes first; counts round and round
        uint32_t id;
    };

    // Room for ids below `count`. May allocate; no other function does.
    void reserve(size_t count) {
        lines_.resize(count / kChildren + 2);
        if (place_.size() < count) place_.resize(count, kAbsent);
    }

    bool empty() const { return size_ == 0; }
    size_t size() const { return size_; }
    const Entry& top() const { return *entry(0); }
    bool contains(uint32_t id) const { return place_[id] != kAbsent; }
    const Entry& at(uint32_t id) const { return *entry(place_[id]); }
    // In no order.
    std::span<const Entry> entries() const { return {entry(0), size_}; }

    void push(uint32_t id, int64_t key, uint32_t tie) {
        CHECK(id < place_.size() && !contains(id));
        rise(size_++, {key, tie, id});
    }

    void erase(uint32_t id) {
        const size_t hole = place_[id];
        const Entry last = *entry(--size_);
        place_[id] = kAbsent;
        if (last.id == id) return;
        if (hole > 0 && before(last, *entry(parent(hole))))
            rise(hole, last);
        else
            sink(hole, last);
    }

    // Takes `by` off every key; the order stays.
    void shift(int64_t by) {
        for (size_t place = 0; place < size_; ++place) entry(place)->key -= by;
    }

  private:
    static constexpr size_t kChildren = 4;
    static constexpr uint32_t kAbsent = UINT32_MAX;

    static size_t parent(size_t place) { return (place - 1) / kChildren; }
    // Without branches: which child is the least can't be predicted.
    static bool before(const Entry& a, const Entry& b) {
        const bool earlier = static_cast<int32_t>(a.tie - b.tie) < 0;
        return bool((a.key < b.key) | ((a.key == b.key) & earlier));
    }
    const Entry* least_of(size_t first) const {
        const Entry* const child = entry(first);
        if (first + kChildren <= size_) {
            const Entry* const left = child + before(child[1], child[0]);
            const Entry* const right = child + 2 + before(child[3], child[2]);
            return before(*right, *left) ? right : left;
        }
        return std::min_element(child, entry(size_), before);
    }
    void put(size_t place, const Entry& value) {
        *entry(place) = value;
        place_[value.id] = static_cast<uint32_t>(place);
    }

    void rise(size_t hole, const Entry value) {
        while (hole > 0 && before(value, *entry(parent(hole)))) {
            put(hole, *entry(parent(hole)));
            hole = parent(hole);
        }
        put(hole, value);
    }

    void sink(size_t hole, const Entry value) {
        for (;;) {
            const size_t first = hole * kChildren + 1;
            if (first >= size_) break;
            const Entry* const least = least_of(first);
            if (!before(*least, value)) break;
            put(hole, *least);
            hole = static_cast<size_t>(least - entry(0));
        }
        put(hole, value);
    }

    struct alignas(sizeof(Entry) * kChildren) Line {
        Entry entries[kChildren];
    };
    // The root is the last of its line, so that its children, and theirs, begin one.
    static constexpr size_t kUnused = kChildren - 1;
    Entry* entry(size_t place) { return lines_.data()->entries + kUnused + place; }
    const Entry* entry(size_t place) const { return lines_.data()->entries + kUnused + place; }

    std::vector<Line> lines_;
    size_t size_ = 0;
    std::vector<uint32_t> place_;  // by id
};

}  // namespace carrel::sched
