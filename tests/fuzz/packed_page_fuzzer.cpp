// Any bytes as a page of a swap file: refused, or some page; and any page comes back from what it was packed
// to.
#include <algorithm>
#include <vector>

#include "vmm/base/check.h"
#include "vmm/memory/packed_page.h"

using namespace carrel;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    const auto input = std::as_bytes(std::span(data, size));
    // The length is exact, so that a read beyond it is seen.
    const std::vector<std::byte> packed(input.begin(), input.end());
    PageBytes page{}, again{}, buffer{};
    (void)unpack_page(packed, page);
    page = {};
    std::ranges::copy(input.first(std::min(size, page.size())), page.begin());
    const size_t length = pack_page(page, buffer);
    CHECK(length <= page.size() && unpack_page(std::span(buffer).first(length), again) && page == again);
    return 0;
}
