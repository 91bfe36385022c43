// CharQueue: characters on their way into a UART. Plain data, a part of SerialState.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

namespace carrel {

// One received character with the LSR error bits that belong to it (PC16550D, section 8.5: errors travel
// with their character through the FIFO).
struct SerialChar {
    uint8_t byte = 0;
    uint8_t errors = 0;
    bool operator==(const SerialChar&) const = default;
};

// A ring of at most N characters. The caller checks free() before push() and empty() before front().
template <size_t N>
class CharQueue {
  public:
    size_t size() const { return count_; }
    size_t free() const { return N - count_; }
    bool empty() const { return count_ == 0; }
    static constexpr size_t capacity() { return N; }

    void push(SerialChar c) { chars_[(head_ + count_++) % N] = c; }
    void push_front(SerialChar c) {
        head_ = (head_ + N - 1) % N;
        chars_[head_] = c;
        ++count_;
    }
    SerialChar& front() { return chars_[head_]; }
    SerialChar pop() {
        const SerialChar c = chars_[head_];
        head_ = (head_ + 1) % N;
        --count_;
        return c;
    }
    SerialChar pop_back() { return chars_[(head_ + --count_) % N]; }
    void clear() { count_ = 0; }
    // `index` counts from the oldest.
    const SerialChar& at(size_t index) const { return chars_[(head_ + index) % N]; }

    bool any_errors() const {
        for (size_t i = 0; i < count_; ++i)
            if (at(i).errors != 0) return true;
        return false;
    }

  private:
    std::array<SerialChar, N> chars_{};
    size_t head_ = 0;
    size_t count_ = 0;
};

}  // namespace carrel
