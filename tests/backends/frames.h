// Frames as the tests of networks make them.
#pragma once

#include <sys/uio.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <vector>

#include "devices/backends/frame_reader.h"

namespace carrel::test {

using Bytes = std::vector<std::byte>;

// Of that size, unlike any other.
inline Bytes frame_of(size_t size) {
    static uint32_t serial = 0;
    ++serial;
    Bytes frame(size);
    for (size_t i = 0; i < size; ++i) frame[i] = std::byte((serial >> (i % 4 * 8)) + i / 4);
    return frame;
}

inline void append_length(Bytes& stream, uint32_t length) {
    for (const int shift : {24, 16, 8, 0}) stream.push_back(std::byte(length >> shift));
}

inline void append_framed(Bytes& stream, const Bytes& frame) {
    append_length(stream, static_cast<uint32_t>(frame.size()));
    stream.insert(stream.end(), frame.begin(), frame.end());
}

inline uint32_t length_at(const Bytes& stream, size_t at) {
    uint32_t length = 0;
    for (size_t i = 0; i < kFrameLengthBytes; ++i)
        length = length << 8 | static_cast<uint32_t>(stream[at + i]);
    return length;
}

// The frame in so many parts, as a guest may lay it out.
inline std::vector<iovec> pieces_of(const Bytes& frame, size_t parts) {
    std::vector<iovec> pieces;
    const size_t each = frame.size() / parts;
    for (size_t i = 0; i < parts; ++i) {
        const size_t begin = i * each, end = i + 1 == parts ? frame.size() : begin + each;
        pieces.push_back({const_cast<std::byte*>(frame.data()) + begin, end - begin});
    }
    return pieces;
}

}  // namespace carrel::test
