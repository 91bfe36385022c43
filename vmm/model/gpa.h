// Gpa: a guest-physical address. A type of its own, so that it can't be taken for a pointer, a length or a
// GVA.
#pragma once

#include <compare>
#include <cstdint>

namespace carrel {

enum class Gpa : uint64_t {};

constexpr uint64_t raw(Gpa gpa) {
    return static_cast<uint64_t>(gpa);
}
// Wraps like the hardware would; callers that take lengths from a guest check the range as a whole
// (GuestMemory does).
constexpr Gpa operator+(Gpa gpa, uint64_t offset) {
    return Gpa{raw(gpa) + offset};
}
constexpr uint64_t operator-(Gpa a, Gpa b) {
    return raw(a) - raw(b);
}
constexpr Gpa align_up(Gpa gpa, uint64_t alignment) {
    return Gpa{(raw(gpa) + alignment - 1) & ~(alignment - 1)};
}
constexpr Gpa align_down(Gpa gpa, uint64_t alignment) {
    return Gpa{raw(gpa) & ~(alignment - 1)};
}

inline constexpr uint64_t kKiB = uint64_t{1} << 10;
inline constexpr uint64_t kMiB = uint64_t{1} << 20;
inline constexpr uint64_t kGiB = uint64_t{1} << 30;
inline constexpr uint64_t kPageSize = 4 * kKiB;
inline constexpr uint64_t kHugePageSize = 2 * kMiB;

}  // namespace carrel
