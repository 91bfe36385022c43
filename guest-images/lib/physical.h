// Reads and writes at physical addresses below 4 GiB, which are mapped one to one. volatile: each access
// happens exactly once and in its own width, which is what devices and their tests need. Unaligned is fine on
// x86.
#pragma once
#include <cstdint>

namespace guest {

template <typename T>
T read_physical(std::uint64_t address) {
    struct [[gnu::packed, gnu::may_alias]] Cell {
        T value;
    };
    std::uint64_t hidden = address;
    asm("" : "+r"(hidden));  // address 0 is RAM here, not a null pointer
    return reinterpret_cast<const volatile Cell*>(hidden)->value;
}

template <typename T>
void write_physical(std::uint64_t address, T value) {
    struct [[gnu::packed, gnu::may_alias]] Cell {
        T value;
    };
    std::uint64_t hidden = address;
    asm("" : "+r"(hidden));
    reinterpret_cast<volatile Cell*>(hidden)->value = value;
}

}  // namespace guest
