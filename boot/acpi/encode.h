// Bytes: how every table and every AML object is put together. Little-endian throughout (ACPI 6.5, 5.2).
#pragma once

#include <bit>
#include <cstddef>
#include <span>
#include <type_traits>
#include <vector>

namespace carrel::acpi {

static_assert(std::endian::native == std::endian::little, "values are appended as they lie in our memory");

using Bytes = std::vector<std::byte>;

void append_bytes(Bytes& to, std::span<const std::byte> more);

// A number or a packed struct, as it lies in memory.
template <class T>
void append(Bytes& to, const T& value) {
    static_assert(std::is_trivially_copyable_v<T> && std::has_unique_object_representations_v<T>,
                  "padding would put bytes of ours into the guest");
    append_bytes(to, std::as_bytes(std::span(&value, 1)));
}
inline void append(Bytes& to, const Bytes& more) {
    append_bytes(to, more);
}

}  // namespace carrel::acpi
