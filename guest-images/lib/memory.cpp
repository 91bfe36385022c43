// The four functions that a freestanding compiler may call on its own (GCC manual, "Standards").
#include <cstddef>

extern "C" {

void* memcpy(void* to, const void* from, std::size_t count) {
    void* at = to;
    asm volatile("rep movsb" : "+D"(at), "+S"(from), "+c"(count) : : "memory");
    return to;
}

void* memset(void* to, int value, std::size_t count) {
    void* at = to;
    asm volatile("rep stosb" : "+D"(at), "+c"(count) : "a"(value) : "memory");
    return to;
}

void* memmove(void* to, const void* from, std::size_t count) {
    auto* target = static_cast<char*>(to);
    const auto* source = static_cast<const char*>(from);
    if (target <= source) return memcpy(to, from, count);
    while (count-- != 0) {
        target[count] = source[count];
        asm volatile("" : : : "memory");  // or the compiler turns the loop into a call of memmove
    }
    return to;
}

int memcmp(const void* a, const void* b, std::size_t count) {
    const auto* left = static_cast<const unsigned char*>(a);
    const auto* right = static_cast<const unsigned char*>(b);
    for (std::size_t i = 0; i < count; ++i) {
        if (left[i] != right[i]) return left[i] < right[i] ? -1 : 1;
        asm volatile("" : : : "memory");
    }
    return 0;
}
}
