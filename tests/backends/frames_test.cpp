#include <random>

#include "devices/backends/frame_reader.h"
#include "devices/backends/frame_writer.h"
#include "tests/backends/frames.h"
#include "tests/backends/helpers.h"

namespace carrel {
namespace {

using namespace test;

// All that comes out of `stream`, given in parts that end at `cuts`.
std::vector<Bytes> frames_of(FrameReader& reader, const Bytes& stream, const std::vector<size_t>& cuts) {
    std::vector<Bytes> frames;
    size_t at = 0;
    while (at < stream.size() && !reader.corrupt()) {
        size_t end = stream.size();
        for (const size_t cut : cuts) {
            if (cut > at) end = std::min(end, cut);
        }
        const auto space = reader.space();
        const size_t count = std::min(space.size(), end - at);
        std::memcpy(space.data(), stream.data() + at, count);
        reader.added(count);
        at += count;
        while (const auto frame = reader.front()) {
            frames.emplace_back(frame->begin(), frame->end());
            reader.pop();
        }
    }
    return frames;
}

Bytes whole_of(int fd) {
    Bytes all(1 << 20);
    const ssize_t got = ::recv(fd, all.data(), all.size(), MSG_DONTWAIT);
    all.resize(got < 0 ? 0 : static_cast<size_t>(got));
    return all;
}

}  // namespace

TEST_CASE("frames come out of their stream whole, wherever it is cut") {
    const std::vector<Bytes> frames{frame_of(14), frame_of(60), frame_of(15)};
    Bytes stream;
    for (const Bytes& frame : frames) append_framed(stream, frame);
    for (size_t first = 1; first < stream.size(); ++first) {
        for (size_t second = first; second < stream.size(); ++second) {
            FrameReader reader;
            REQUIRE(frames_of(reader, stream, {first, second}) == frames);
        }
    }
}

TEST_CASE("a long stream of frames of all sizes goes through a bounded buffer") {
    std::mt19937 random(1);
    std::uniform_int_distribution<size_t> any(kShortestFrame, kLongestFrame), small(kShortestFrame, 1514);
    std::vector<Bytes> frames;
    Bytes stream;
    for (int i = 0; i < 300; ++i) {
        frames.push_back(frame_of(i % 3 == 0 ? any(random) : small(random)));
        append_framed(stream, frames.back());
    }
    frames.push_back(frame_of(kLongestFrame));
    append_framed(stream, frames.back());
    std::vector<size_t> cuts;
    std::uniform_int_distribution<size_t> place(0, stream.size());
    for (int i = 0; i < 1000; ++i) cuts.push_back(place(random));
    FrameReader reader;
    CHECK(frames_of(reader, stream, {}) == frames);
    CHECK(frames_of(reader, stream, cuts) == frames);
}

TEST_CASE("frames that are left lying fill the buffer, and are all there afterwards") {
    FrameReader reader;
    Bytes one;
    append_framed(one, frame_of(1000));
    size_t added = 0;
    while (reader.space().size() >= one.size()) {
        std::ranges::copy(one, reader.space().begin());
        reader.added(one.size());
        ++added;
    }
    CHECK(added * one.size() > kLongestFrame);
    for (; added != 0; --added) {
        REQUIRE(reader.front().has_value());
        reader.pop();
    }
    CHECK(!reader.front());
}

TEST_CASE("a length that can't be ends the stream, and touches nothing") {
    for (const uint32_t length : {0u, 13u, kLongestFrame + 1, 0x7fffffffu, 0x80000000u, 0xffffffffu}) {
        FrameReader reader;
        Bytes stream;
        append_framed(stream, frame_of(20));
        append_length(stream, length);
        stream.resize(stream.size() + 100);
        CHECK(frames_of(reader, stream, {}).size() == 1);
        CHECK(reader.corrupt());
        CHECK(!reader.front());
        reader.clear();
        CHECK(frames_of(reader, Bytes(stream.begin(), stream.begin() + 24), {}).size() == 1);
    }
}

TEST_CASE("small frames are gathered until they are flushed, large ones go at once") {
    const SocketPair sockets;
    FrameWriter writer;
    const Bytes small = frame_of(60), large = frame_of(9000);
    REQUIRE(writer.send(sockets.a.get(), pieces_of(small, 3)) == 0);
    REQUIRE(writer.send(sockets.a.get(), pieces_of(small, 1)) == 0);
    CHECK(whole_of(sockets.b.get()).empty());
    REQUIRE(writer.flush(sockets.a.get()) == 0);
    FrameReader reader;
    CHECK(frames_of(reader, whole_of(sockets.b.get()), {}) == std::vector<Bytes>{small, small});

    // In the order in which they were sent.
    REQUIRE(writer.send(sockets.a.get(), pieces_of(small, 2)) == 0);
    REQUIRE(writer.send(sockets.a.get(), pieces_of(large, 5)) == 0);
    CHECK(writer.empty());
    CHECK(frames_of(reader, whole_of(sockets.b.get()), {}) == std::vector<Bytes>{small, large});
}

TEST_CASE("frames that nobody may send are refused before they are in the stream") {
    const SocketPair sockets;
    FrameWriter writer;
    for (const size_t size : {size_t{0}, size_t{13}, size_t{kLongestFrame} + 1, size_t{1} << 20}) {
        const Bytes frame(size);
        CHECK(writer.send(sockets.a.get(), pieces_of(frame, 2)) == -EMSGSIZE);
    }
    const Bytes frame = frame_of(2000);
    CHECK(writer.send(sockets.a.get(), pieces_of(frame, 1024)) == -EMSGSIZE);
    CHECK(writer.empty());
}

TEST_CASE("a full socket refuses frames, and loses none") {
    for (const bool smallest : {false, true}) {
        const SocketPair sockets;
        const int least = 1;  // the kernel makes it some 4 KiB
        if (smallest)
            REQUIRE(::setsockopt(sockets.a.get(), SOL_SOCKET, SO_SNDBUF, &least, sizeof least) == 0);
        std::mt19937 random(2);
        std::uniform_int_distribution<size_t> sizes(kShortestFrame, kLongestFrame);
        FrameWriter writer;
        FrameReader reader;
        std::vector<Bytes> sent, got;
        bool refused = false;
        while (sent.size() < 500) {
            const Bytes frame = frame_of(sent.size() % 2 == 0 ? sizes(random) : sizes(random) % 2000 + 14);
            const int error = writer.send(sockets.a.get(), pieces_of(frame, 4));
            if (error == 0) sent.push_back(frame);
            if (error == 0 && sent.size() % 50 != 0) continue;
            refused = refused || error != 0;
            REQUIRE((error == 0 || error == -EAGAIN));
            for (const Bytes& one : frames_of(reader, whole_of(sockets.b.get()), {})) got.push_back(one);
            (void)writer.flush(sockets.a.get());
        }
        while (!writer.empty() || got.size() < sent.size()) {
            (void)writer.flush(sockets.a.get());
            for (const Bytes& one : frames_of(reader, whole_of(sockets.b.get()), {})) got.push_back(one);
        }
        CHECK(refused);
        CHECK(got == sent);
    }
}

// It loses its place otherwise; see frame_writer.h.
TEST_CASE("what a passt of Debian 12 reads at once ends where it can go on") {
    const SocketPair sockets;
    std::mt19937 random(3);
    std::uniform_int_distribution<size_t> sizes(kShortestFrame, 65535);
    FrameWriter writer;
    size_t frames = 0, read = 0;
    while (frames < 2000) {
        const Bytes frame = frame_of(frames % 5 == 0 ? sizes(random) : sizes(random) % 1500 + 14);
        if (writer.send(sockets.a.get(), pieces_of(frame, 2)) == 0) {
            ++frames;
            if (frames % 60 != 0) continue;
        }
        // As it reads: all that there is; of a frame that isn't all there, the rest once.
        (void)writer.flush(sockets.a.get());
        const Bytes all = whole_of(sockets.b.get());
        for (size_t at = 0; at < all.size();) {
            REQUIRE(all.size() - at > kFrameLengthBytes);
            const size_t length = length_at(all, at);
            at += kFrameLengthBytes + length;
            ++read;
            if (at <= all.size()) continue;
            (void)writer.flush(sockets.a.get());
            Bytes rest(at - all.size());
            REQUIRE(::recv(sockets.b.get(), rest.data(), rest.size(), MSG_DONTWAIT) ==
                    static_cast<ssize_t>(rest.size()));
        }
    }
    CHECK(read > 1000);
}

}  // namespace carrel
