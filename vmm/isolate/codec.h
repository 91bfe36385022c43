// Codec: plain data into a message and back, each field listed once: code(codec, value) writes or reads it.
//
// What is read is treated as hostile: the lengths are bounded, a bool is 0 or 1, an enumeration one of its
// values; a failed read stays failed (ByteReader).
#pragma once

#include <array>
#include <optional>
#include <string>
#include <type_traits>
#include <vector>

#include "vmm/base/bytes.h"

namespace carrel::isolate {

inline constexpr size_t kMostText = 128 * 1024;
inline constexpr uint32_t kMostItems = 4096;

class Put {
  public:
    template <class T>
    requires std::is_integral_v<T>
    void number(T& value) { bytes_.put(value); }
    void text(std::string& value) { bytes_.put_bytes(std::as_bytes(std::span(value))); }
    ByteWriter& bytes() { return bytes_; }
    static constexpr bool kReads = false;
    void fail() {}

  private:
    ByteWriter bytes_;
};

class Take {
  public:
    explicit Take(std::span<const std::byte> bytes) : bytes_(bytes) {}
    template <class T>
    requires std::is_integral_v<T>
    void number(T& value) {
        if constexpr (std::is_same_v<T, bool>) {
            const auto raw = bytes_.get<uint8_t>();
            if (raw > 1) bytes_.fail();
            value = raw == 1;
        } else {
            value = bytes_.get<T>();
        }
    }
    void text(std::string& value) {
        const auto bytes = bytes_.get_bytes(kMostText);
        value.assign(reinterpret_cast<const char*>(bytes.data()), bytes.size());
    }
    static constexpr bool kReads = true;
    void fail() { bytes_.fail(); }
    // All of it was read, and nothing is left.
    bool whole() const { return bytes_.ok() && bytes_.at_end(); }
    bool ok() const { return bytes_.ok(); }

  private:
    ByteReader bytes_;
};

template <class Codec>
void code(Codec& codec, std::string& value) {
    codec.text(value);
}

template <class Codec, class T>
requires std::is_integral_v<T>
void code(Codec& codec, T& value) {
    codec.number(value);
}

// `last`: its greatest value.
template <class Codec, class Enum>
void code_enum(Codec& codec, Enum& value, Enum last) {
    auto number = static_cast<uint32_t>(value);
    codec.number(number);
    if (number > static_cast<uint32_t>(last)) return codec.fail();
    value = static_cast<Enum>(number);
}

template <class Codec, class T>
void code(Codec& codec, std::optional<T>& value) {
    bool there = value.has_value();
    codec.number(there);
    if (!there) return;
    if (!value) value.emplace();
    code(codec, *value);
}

template <class Codec, class T>
void code(Codec& codec, std::vector<T>& values) {
    auto count = static_cast<uint32_t>(values.size());
    codec.number(count);
    if (count > kMostItems) return codec.fail();
    if constexpr (Codec::kReads) {
        for (; count != 0 && codec.ok(); --count) code(codec, values.emplace_back());
    } else {
        for (T& value : values) code(codec, value);
    }
}

template <class Codec, class T, size_t kCount>
void code(Codec& codec, std::array<T, kCount>& values) {
    for (T& value : values) code(codec, value);
}

}  // namespace carrel::isolate
