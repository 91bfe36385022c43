// What a network backend can keep: frames whose checksum or segmentation is left to the other side. VIRTIO
// 1.3, section 5.1.3. (Linux's own header isn't for C++.)
#pragma once

#include <cstdint>

namespace carrel {

// What the guest may send unfinished: kNetCsum, kNetHost…; and what it takes: kNetGuest….
inline constexpr uint64_t kNetCsum = uint64_t{1} << 0;
inline constexpr uint64_t kNetGuestCsum = uint64_t{1} << 1;
inline constexpr uint64_t kNetGuestTso4 = uint64_t{1} << 7;
inline constexpr uint64_t kNetGuestTso6 = uint64_t{1} << 8;
inline constexpr uint64_t kNetGuestEcn = uint64_t{1} << 9;
inline constexpr uint64_t kNetHostTso4 = uint64_t{1} << 11;
inline constexpr uint64_t kNetHostTso6 = uint64_t{1} << 12;
inline constexpr uint64_t kNetHostEcn = uint64_t{1} << 13;
inline constexpr uint64_t kNetGuestUso4 = uint64_t{1} << 54;
inline constexpr uint64_t kNetGuestUso6 = uint64_t{1} << 55;
inline constexpr uint64_t kNetHostUso = uint64_t{1} << 56;

// A driver may change its mind about these while it runs (5.1.6.5.6).
inline constexpr uint64_t kNetGuestOffloads =
    kNetGuestCsum | kNetGuestTso4 | kNetGuestTso6 | kNetGuestEcn | kNetGuestUso4 | kNetGuestUso6;
// Of these, those that make frames larger than the wire's.
inline constexpr uint64_t kNetGuestLarge = kNetGuestTso4 | kNetGuestTso6 | kNetGuestUso4 | kNetGuestUso6;
inline constexpr uint64_t kNetHostOffloads =
    kNetCsum | kNetHostTso4 | kNetHostTso6 | kNetHostEcn | kNetHostUso;

}  // namespace carrel
