#include "boot/relocations.h"

#include <algorithm>
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

// The addresses, sign-extended, form one interval with the image in it: the least and the greatest decide.
bool all_inside(std::span<const std::byte> words, uint64_t link_address, uint64_t size, size_t width) {
    if (words.empty()) return true;
    int32_t least = INT32_MAX;
    int32_t greatest = INT32_MIN;
    for (size_t at = 0; at < words.size(); at += kWord) {
        const auto word = load<int32_t>(words.data() + at);
        least = std::min(least, word);
        greatest = std::max(greatest, word);
    }
    const auto base = static_cast<int64_t>(link_address);
    if (size < width || base < INT32_MIN || base > least) return false;
    return static_cast<uint64_t>(int64_t{greatest} - base) <= size - width;
}

template <class T>
void add(std::span<const std::byte> words, const LinkedImage& image, T delta) {
    for (size_t at = 0; at < words.size(); at += kWord) {
        std::byte* const place = image.bytes.data() + offset_of(words.data() + at, image.link_address);
        const T value = load<T>(place) + delta;
        std::memcpy(place, &value, sizeof value);
    }
}

// Where the first zero from `at` on is; the end where there is none. In blocks first, which compilers do in
// vectors.
size_t find_zero(std::span<const std::byte> bytes, size_t at) {
    constexpr size_t kBlock = 16 * kWord;
    for (; bytes.size() - at >= kBlock; at += kBlock) {
        unsigned zeros = 0;
        for (size_t i = 0; i < kBlock; i += kWord)
            zeros |= load<uint32_t>(bytes.data() + at + i) == 0 ? 1u : 0u;
        if (zeros != 0) break;
    }
    while (at < bytes.size() && load<uint32_t>(bytes.data() + at) != 0) at += kWord;
    return at;
}

}  // namespace

bool RelocationTable::is_likely(std::span<const std::byte> bytes) {
    return bytes.size() >= 2 * kWord && bytes.size() <= kMostBytes && bytes.size() % kWord == 0 &&
           load<uint32_t>(bytes.data()) == 0;
}

std::optional<RelocationTable> RelocationTable::parse(std::span<const std::byte> bytes) {
    if (!is_likely(bytes)) return std::nullopt;
    // What follows each zero, up to the next one or the end.
    std::vector<std::span<const std::byte>> lists;
    for (size_t at = 0; at < bytes.size() && lists.size() <= 3;) {
        const size_t begin = at + kWord;
        at = find_zero(bytes, begin);
        lists.push_back(bytes.subspan(begin, at - begin));
    }
    if (lists.size() != 2 && lists.size() != 3) return std::nullopt;
    RelocationTable table;
    table.words64_ = lists.front();
    if (lists.size() == 3) table.inverse32_ = lists[1];
    table.words32_ = lists.back();
    table.lists_ = static_cast<int>(lists.size());
    table.size_ = bytes.size() / kWord - lists.size();
    if (table.size_ == 0) return std::nullopt;
    return table;
}

bool RelocationTable::fits(uint64_t link_address, uint64_t size) const {
    return all_inside(words32_, link_address, size, sizeof(uint32_t)) &&
           all_inside(inverse32_, link_address, size, sizeof(uint32_t)) &&
           all_inside(words64_, link_address, size, sizeof(uint64_t));
}

void RelocationTable::apply(const LinkedImage& image, uint64_t delta) const {
    const auto delta32 = static_cast<uint32_t>(delta);
    add<uint32_t>(words32_, image, delta32);
    add<uint32_t>(inverse32_, image, uint32_t{0} - delta32);
    add<uint64_t>(words64_, image, delta);
}

}  // namespace carrel::boot
