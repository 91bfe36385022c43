#include "vmm/memory/packed_page.h"

#include <lz4.h>

#include <algorithm>
#include <cstring>

namespace carrel {
namespace {

constexpr int kPage = static_cast<int>(kPageSize);
constexpr int kWorthPacking = kPage / 8 * 7;

}  // namespace

bool is_zeros(std::span<const std::byte, kPageSize> page) {
    return page[0] == std::byte{0} && std::memcmp(page.data(), page.data() + 1, kPageSize - 1) == 0;
}

size_t pack_page(std::span<const std::byte, kPageSize> page, PageBytes& packed) {
    const int length = LZ4_compress_default(reinterpret_cast<const char*>(page.data()),
                                            reinterpret_cast<char*>(packed.data()), kPage, kWorthPacking);
    if (length > 0) return static_cast<size_t>(length);
    std::ranges::copy(page, packed.begin());
    return kPageSize;
}

bool unpack_page(std::span<const std::byte> packed, PageBytes& page) {
    if (packed.size() > kPageSize) return false;
    if (packed.size() == kPageSize) {
        std::ranges::copy(packed, page.begin());
        return true;
    }
    return LZ4_decompress_safe(reinterpret_cast<const char*>(packed.data()),
                               reinterpret_cast<char*>(page.data()), static_cast<int>(packed.size()),
                               kPage) == kPage;
}

}  // namespace carrel
