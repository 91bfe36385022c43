// A fuzzer's bytes as a row of choices; at the end everything is 0.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <span>

namespace carrel::test {

class Script {
  public:
    explicit Script(std::span<const std::byte> bytes) : rest_(bytes) {}
    bool done() const { return rest_.empty(); }
    template <class T>
    T number() {
        T value{};
        const auto taken = bytes(sizeof value);
        if (!taken.empty()) std::memcpy(&value, taken.data(), taken.size());
        return value;
    }
    uint8_t byte() { return number<uint8_t>(); }
    std::span<const std::byte> bytes(size_t length) {
        const auto taken = rest_.first(std::min(length, rest_.size()));
        rest_ = rest_.subspan(taken.size());
        return taken;
    }
    template <class T, size_t N>
    T pick(const std::array<T, N>& choices) {
        return choices[byte() % N];
    }

  private:
    std::span<const std::byte> rest_;
};

inline void require(bool condition) {
    if (!condition) std::abort();
}

}  // namespace carrel::test
