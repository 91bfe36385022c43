// A counter or flag that several CPUs share, sequentially consistent. (Clang can't compile the standard
// library's <atomic> without floating-point registers.)
#pragma once

namespace guest {

template <typename T>
class Atomic {
  public:
    constexpr explicit Atomic(T value) : value_(value) {}
    Atomic(const Atomic&) = delete;
    Atomic& operator=(const Atomic&) = delete;

    T load() const { return __atomic_load_n(&value_, __ATOMIC_SEQ_CST); }
    void store(T value) { __atomic_store_n(&value_, value, __ATOMIC_SEQ_CST); }
    T fetch_add(T step) { return __atomic_fetch_add(&value_, step, __ATOMIC_SEQ_CST); }

  private:
    T value_;
};

}  // namespace guest
