// Any bytes on passt's socket, in parts of any size: frames within bounds come out, or the stream ends; and
// what went in as frames comes out the same.
#include <algorithm>
#include <cstring>
#include <vector>

#include "devices/backends/frame_reader.h"
#include "vmm/base/check.h"

using namespace carrel;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    if (size == 0) return 0;
    // The first byte says how much is read at once.
    const size_t part = size_t{1} << (data[0] % 16);
    const std::span<const uint8_t> stream(data + 1, size - 1);
    FrameReader reader;
    size_t at = 0, out = 0;
    while (at < stream.size() && !reader.corrupt()) {
        const auto space = reader.space();
        CHECK(!space.empty());
        const size_t count = std::min({part, space.size(), stream.size() - at});
        std::memcpy(space.data(), stream.data() + at, count);
        reader.added(count);
        at += count;
        while (const auto frame = reader.front()) {
            CHECK(frame->size() >= kShortestFrame && frame->size() <= kLongestFrame);
            CHECK(out + kFrameLengthBytes + frame->size() <= at);
            CHECK(std::memcmp(frame->data(), stream.data() + out + kFrameLengthBytes, frame->size()) == 0);
            out += kFrameLengthBytes + frame->size();
            reader.pop();
        }
    }
    return 0;
}
