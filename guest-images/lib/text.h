// A piece of text that somebody else owns, and the few operations that the guests need. (std::string_view
// isn't part of a freestanding C++20 library.)
#pragma once
#include <cstddef>
#include <cstdint>

namespace guest {

struct Text {
    const char* data = "";
    std::size_t size = 0;

    constexpr Text() = default;
    constexpr Text(const char* chars, std::size_t count) : data(chars), size(count) {}
    constexpr Text(const char* zero_terminated) : data(zero_terminated) {
        while (data[size] != 0) ++size;
    }
    constexpr bool empty() const { return size == 0; }
    constexpr Text from(std::size_t start) const {
        return start < size ? Text(data + start, size - start) : Text();
    }
    constexpr Text first(std::size_t count) const { return Text(data, count < size ? count : size); }
};

constexpr bool operator==(Text a, Text b) {
    if (a.size != b.size) return false;
    for (std::size_t i = 0; i < a.size; ++i)
        if (a.data[i] != b.data[i]) return false;
    return true;
}

constexpr bool starts_with(Text text, Text start) {
    return text.first(start.size) == start;
}
constexpr std::size_t find(Text text, char c) {
    std::size_t i = 0;
    while (i < text.size && text.data[i] != c) ++i;
    return i;
}

constexpr Text trimmed(Text text) {
    while (!text.empty() && text.data[0] == ' ') text = text.from(1);
    while (!text.empty() && text.data[text.size - 1] == ' ') --text.size;
    return text;
}

// Decimal digits at the start of the text; `otherwise` when there are none.
constexpr std::uint64_t to_number(Text text, std::uint64_t otherwise) {
    std::uint64_t value = 0;
    std::size_t i = 0;
    for (; i < text.size && text.data[i] >= '0' && text.data[i] <= '9'; ++i)
        value = value * 10 + static_cast<std::uint64_t>(text.data[i] - '0');
    return i == 0 ? otherwise : value;
}

}  // namespace guest
