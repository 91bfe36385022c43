#include "boot/relocations.h"

#include <cstring>
#include <vector>

#include "vmm/base/check.h"

namespace carrel::boot {
namespace {

constexpr size_t kWord = sizeof(uint32_t);

template <class T>
T load(const std::byte* from) {
    T value;
    std::memcpy(&value, from, sizeof value);
    return value;
}

// An address wraps into a huge offset where it lies below the image.
uint64_t offset_of(const std::byte* word, uint64_t link_address) {
    const auto address = static_cast<uint64_t>(int64_t{load<int32_t>(word)});
    return address - link_address;
}

bool all_inside(std::span<const std::byte> words, const LinkedImage& image, size_t width) {
    if (words.empty()) return true;
    if (image.bytes.size() < width) return false;
    const uint64_t last = image.bytes.size() - width;
    bool inside = true;
    for (size_t at = 0; at < words.size(); at += kWord) {
        inside &= offset_of(words.data() + at, image.link_address) <= last;
    }
    return inside;
}

template <class T>
void add(std::span<const std::byte> words, const LinkedImage& image, T delta) {
    for (size_t at = 0; at < words.size(); at += kWord) {
        std::byte* const place = image.bytes.data() + offset_of(words.data() + at, image.link_address);
        const T value = load<T>(place) + delta;
        std::memcpy(place, &value, sizeof value);
    }
}

// Offsets of the words that are zero, at most `limit` + 1 of them.
std::vector<size_t> zero_words(std::span<const std::byte> bytes, size_t limit) {
    std::vector<size_t> found;
    for (size_t at = 0; at < bytes.size() && found.size() <= limit; at += kWord) {
        if (load<uint32_t>(bytes.data() + at) == 0) found.push_back(at);
    }
    return found;
}

}  // namespace

std::optional<RelocationTable> RelocationTable::parse(std::span<const std::byte> bytes) {
    if (bytes.size() < 2 * kWord || bytes.size() % kWord != 0) return std::nullopt;
    const auto zeros = zero_words(bytes, 3);
    if ((zeros.size() != 2 && zeros.size() != 3) || zeros.front() != 0) return std::nullopt;
    RelocationTable table;
    table.lists_ = static_cast<int>(zeros.size());
    table.size_ = bytes.size() / kWord - zeros.size();
    table.words64_ = bytes.subspan(kWord, zeros[1] - kWord);
    if (table.lists_ == 3) table.inverse32_ = bytes.subspan(zeros[1] + kWord, zeros[2] - zeros[1] - kWord);
    table.words32_ = bytes.subspan(zeros.back() + kWord);
    return table;
}

bool RelocationTable::fits(const LinkedImage& image) const {
    return all_inside(words32_, image, sizeof(uint32_t)) && all_inside(inverse32_, image, sizeof(uint32_t)) &&
           all_inside(words64_, image, sizeof(uint64_t));
}

void RelocationTable::apply(const LinkedImage& image, uint64_t delta) const {
    const auto delta32 = static_cast<uint32_t>(delta);
    add<uint32_t>(words32_, image, delta32);
    add<uint32_t>(inverse32_, image, uint32_t{0} - delta32);
    add<uint64_t>(words64_, image, delta);
}

}  // namespace carrel::boot
