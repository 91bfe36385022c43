#include "vmm/base/bytes.h"

#include "vmm/base/check.h"

namespace carrel {
namespace {
constexpr size_t kTagSize = 4;
constexpr size_t kLengthOffset = kTagSize + sizeof(uint16_t);
}  // namespace

size_t ByteWriter::begin_part(std::string_view tag, uint16_t version) {
    CHECK(tag.size() == kTagSize);
    const size_t start = buffer_.size();
    for (const char c : tag) put(c);
    put(version);
    put(uint32_t{0});
    return start;
}

void ByteWriter::end_part(size_t start) {
    const size_t payload = start + kLengthOffset + sizeof(uint32_t);
    CHECK(payload <= buffer_.size());
    const auto length = static_cast<uint32_t>(buffer_.size() - payload);
    std::memcpy(buffer_.data() + start + kLengthOffset, &length, sizeof length);
}

std::span<const std::byte> ByteReader::take(size_t size) {
    if (!ok_ || size > rest_.size()) {
        ok_ = false;
        return {};
    }
    const auto taken = rest_.first(size);
    rest_ = rest_.subspan(size);
    return taken;
}

std::span<const std::byte> ByteReader::get_bytes(size_t limit) {
    const auto length = get<uint32_t>();
    if (length > limit) ok_ = false;
    return take(length);
}

ByteReader ByteReader::part(std::string_view tag, uint16_t newest, uint16_t* version) {
    const auto found = take(kTagSize);
    const auto number = get<uint16_t>();
    const auto length = get<uint32_t>();
    const auto payload = take(length);
    const bool right =
        ok_ && std::memcmp(found.data(), tag.data(), kTagSize) == 0 && number >= 1 && number <= newest;
    if (!right) ok_ = false;
    if (version != nullptr) *version = number;
    ByteReader reader(right ? payload : std::span<const std::byte>{});
    if (!right) reader.fail();
    return reader;
}

}  // namespace carrel
