// How we touch bytes that the guest may change at the same moment.
//
// Each order here has its partner in the driver: our acquire load of an index (or of a packed descriptor's
// flags) meets the driver's barrier before it stores it, so that what it announces is complete (2.7.13.3,
// 2.8.21.1); our release store meets the driver's barrier after it has read it (2.7.8.2). full_fence() stands
// between "I have stored mine" and "I look at yours", on both sides, so that at least one of the two sees the
// other's store (2.7.13.4).
#pragma once

#include <atomic>
#include <cstdint>
#include <cstring>
#include <type_traits>

namespace carrel::virtio {

// One copy, which stays as it is: without the fence a compiler may read the source again instead of keeping
// the copy, and a guest could change what was checked. Any alignment.
template <class T>
T load_once(const std::byte* from) {
    static_assert(std::is_trivially_copyable_v<T>);
    T value;
    std::memcpy(&value, from, sizeof value);
    std::atomic_signal_fence(std::memory_order_seq_cst);
    return value;
}

// The following need natural alignment, which the checks of the rings' areas promise.
template <class T>
T load_acquire(const std::byte* from) {
    return __atomic_load_n(reinterpret_cast<const T*>(from), __ATOMIC_ACQUIRE);
}
template <class T>
void store_release(std::byte* to, T value) {
    __atomic_store_n(reinterpret_cast<T*>(to), value, __ATOMIC_RELEASE);
}
// For what a later store_release announces.
template <class T>
void store_plain(std::byte* to, T value) {
    __atomic_store_n(reinterpret_cast<T*>(to), value, __ATOMIC_RELAXED);
}

inline void full_fence() {
    std::atomic_thread_fence(std::memory_order_seq_cst);
}

}  // namespace carrel::virtio
