// IndexedHeap: the smallest of many, of which any may be taken out by its id. No allocation but in reserve().
//
// Four children a node, not two: half the levels, and the four lie side by side in memory. That is what
// counts with 10,000 entries.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
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
        entries_.reserve(count);
        if (place_.size() < count) place_.resize(count, kAbsent);
    }

    bool empty() const { return entries_.empty(); }
    size_t size() const { return entries_.size(); }
    const Entry& top() const { return entries_.front(); }
    bool contains(uint32_t id) const { return place_[id] != kAbsent; }
    const Entry& at(uint32_t id) const { return entries_[place_[id]]; }
    // In no order.
    const std::vector<Entry>& entries() const { return entries_; }

    void push(uint32_t id, int64_t key, uint32_t tie) {
        CHECK(entries_.size() < entries_.capacity() && !contains(id));
        entries_.push_back({key, tie, id});
        rise(entries_.size() - 1, {key, tie, id});
    }

    void erase(uint32_t id) {
        const size_t hole = place_[id];
        const Entry last = entries_.back();
        entries_.pop_back();
        place_[id] = kAbsent;
        if (last.id == id) return;
        if (hole > 0 && before(last, entries_[parent(hole)]))
            rise(hole, last);
        else
            sink(hole, last);
    }

    // Takes `by` off every key; the order stays.
    void shift(int64_t by) {
        for (Entry& entry : entries_) entry.key -= by;
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
        const Entry* const child = entries_.data() + first;
        if (first + kChildren <= entries_.size()) {
            const Entry* const left = child + before(child[1], child[0]);
            const Entry* const right = child + 2 + before(child[3], child[2]);
            return before(*right, *left) ? right : left;
        }
        return std::min_element(child, entries_.data() + entries_.size(), before);
    }
    void put(size_t place, const Entry& entry) {
        entries_[place] = entry;
        place_[entry.id] = static_cast<uint32_t>(place);
    }

    void rise(size_t hole, const Entry& entry) {
        while (hole > 0 && before(entry, entries_[parent(hole)])) {
            put(hole, entries_[parent(hole)]);
            hole = parent(hole);
        }
        put(hole, entry);
    }

    void sink(size_t hole, const Entry& entry) {
        for (;;) {
            const size_t first = hole * kChildren + 1;
            if (first >= entries_.size()) break;
            const Entry* const least = least_of(first);
            if (!before(*least, entry)) break;
            put(hole, *least);
            hole = static_cast<size_t>(least - entries_.data());
        }
        put(hole, entry);
    }

    std::vector<Entry> entries_;
    std::vector<uint32_t> place_;  // by id
};

}  // namespace carrel::sched
