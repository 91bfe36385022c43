// ByteWriter and ByteReader: the codec of saved state. Little-endian, fixed widths, each part tagged and
// versioned.
//
//   part:  | tag 4 bytes | version 2 | length 4 | payload … |
//
// A reader treats the bytes as hostile: every read is checked, a failed read gives zero and stays failed
// (ok() tells at the end, so callers read straight through and check once).
#pragma once

#include <array>
#include <bit>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

static_assert(std::endian::native == std::endian::little, "saved state is little-endian, x86 only for now");

namespace carrel {

class ByteWriter {
  public:
    template <class T>
    void put(T value) {
        static_assert(std::is_trivially_copyable_v<T> && std::has_unique_object_representations_v<T>,
                      "padding would leak our memory into a file");
        const auto* bytes = reinterpret_cast<const std::byte*>(&value);
        buffer_.insert(buffer_.end(), bytes, bytes + sizeof value);
    }
    // Length (u32) first.
    void put_bytes(std::span<const std::byte> bytes) {
        put(static_cast<uint32_t>(bytes.size()));
        buffer_.insert(buffer_.end(), bytes.begin(), bytes.end());
    }
    // Opens a part; end_part() fills its length in. `tag` has four characters.
    size_t begin_part(std::string_view tag, uint16_t version);
    void end_part(size_t start);

    std::span<const std::byte> bytes() const { return buffer_; }
    std::vector<std::byte> take() && { return std::move(buffer_); }

  private:
    std::vector<std::byte> buffer_;
};

class ByteReader {
  public:
    explicit ByteReader(std::span<const std::byte> bytes) : rest_(bytes) {}

    template <class T>
    T get() {
        static_assert(std::is_trivially_copyable_v<T>);
        T value{};
        const auto bytes = take(sizeof value);
        if (bytes.size() == sizeof value) std::memcpy(&value, bytes.data(), sizeof value);
        return value;
    }
    // What put_bytes wrote; empty (and failed) when it is longer than `limit` or than what is left.
    std::span<const std::byte> get_bytes(size_t limit);
    // The payload of the next part, which must have this tag and a version from 1 to `newest`. `version`
    // receives it.
    ByteReader part(std::string_view tag, uint16_t newest, uint16_t* version = nullptr);

    void fail() { ok_ = false; }
    bool ok() const { return ok_; }
    bool at_end() const { return rest_.empty(); }

  private:
    std::span<const std::byte> take(size_t size);
    std::span<const std::byte> rest_;
    bool ok_ = true;
};

}  // namespace carrel
