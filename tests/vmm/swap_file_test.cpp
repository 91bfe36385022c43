#include "vmm/memory/swap_file.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <map>
#include <random>

#include "tests/catch.h"
#include "vmm/memory/swap_index.h"

using namespace carrel;

namespace {

PageBytes noise(uint64_t seed) {
    std::mt19937_64 random(seed);
    PageBytes page;
    for (std::byte& byte : page) byte = static_cast<std::byte>(random());
    return page;
}

PageBytes text(uint64_t seed) {
    PageBytes page;
    for (size_t i = 0; i < page.size(); ++i) page[i] = static_cast<std::byte>('a' + (i / 7 + seed) % 23);
    return page;
}

struct File {
    File() : fd(::memfd_create("swap", MFD_CLOEXEC | MFD_ALLOW_SEALING)), swap(Fd(::dup(fd.get())), kMiB) {}
    Fd fd;
    SwapFile swap;
    SwapPlace put(const PageBytes& page, uint32_t unit) {
        PageBytes packed;
        const auto bytes = std::span(packed).first(pack_page(page, packed));
        const SwapPlace place{unit, SwapFile::sum_of(bytes), static_cast<uint16_t>(bytes.size())};
        REQUIRE(swap.write(place, bytes).ok());
        return place;
    }
};

}  // namespace

TEST_CASE("a packed page: shorter where that is worth it, and the same again") {
    PageBytes packed, page;
    CHECK(is_zeros(PageBytes{}));
    PageBytes last{};
    last.back() = std::byte{1};
    CHECK_FALSE(is_zeros(last));
    const size_t length = pack_page(text(1), packed);
    CHECK(length < 300);
    REQUIRE(unpack_page(std::span(packed).first(length), page));
    CHECK(page == text(1));
    REQUIRE(pack_page(noise(1), packed) == kPageSize);
    REQUIRE(unpack_page(packed, page));
    CHECK(page == noise(1));
}

TEST_CASE("a packed page: other bytes are refused, or are some page") {
    PageBytes packed, page;
    const size_t length = pack_page(text(1), packed);
    CHECK_FALSE(unpack_page(std::span(packed).first(0), page));
    CHECK_FALSE(unpack_page(std::span(packed).first(length - 1), page));
    CHECK_FALSE(unpack_page(std::span(packed).first(length + 1), page));
    CHECK_FALSE(unpack_page(std::vector<std::byte>(kPageSize + 1), page));
}

TEST_CASE("a swap file: what comes back is what was written, or an error") {
    File file;
    const SwapPlace packed = file.put(text(2), 3);
    const SwapPlace raw = file.put(noise(2), 8);
    PageBytes page;
    REQUIRE(file.swap.read(packed, page).ok());
    CHECK(page == text(2));
    REQUIRE(file.swap.read(raw, page).ok());
    CHECK(page == noise(2));
    // One byte is another.
    const std::byte other{0x5a};
    REQUIRE(::pwrite(file.fd.get(), &other, 1, SwapFile::kStart + 8 * kSwapUnit + 100) == 1);
    CHECK(file.swap.read(raw, page).error().sentence().find("isn't what was written") != std::string::npos);
    CHECK_FALSE(file.swap.read_at_once(raw, page));
    REQUIRE(file.swap.read(packed, page).ok());
    // It is cut off.
    REQUIRE(::ftruncate(file.fd.get(), SwapFile::kStart + 3 * kSwapUnit + 5) == 0);
    CHECK_FALSE(file.swap.read(packed, page).ok());
    REQUIRE(::ftruncate(file.fd.get(), 0) == 0);
    CHECK_FALSE(file.swap.read(packed, page).ok());
    CHECK_FALSE(file.swap.read_at_once(packed, page));
}

TEST_CASE("a swap file: one that can't be written says so") {
    File file;
    REQUIRE(::fcntl(file.fd.get(), F_ADD_SEALS, F_SEAL_WRITE) == 0);
    const PageBytes page = noise(3);
    const auto wrote = file.swap.write({0, 0, kPageSize}, page);
    REQUIRE_FALSE(wrote.ok());
    CHECK(wrote.error().sentence().find("swap file can't be written") != std::string::npos);
}

TEST_CASE("a swap index: no two pages share a byte, and its size is a bound") {
    constexpr size_t kChunks = 4;
    SwapIndex index(kMiB, kChunks);
    std::mt19937_64 random(4);
    std::map<std::pair<size_t, uint64_t>, SwapPlace> model;
    uint64_t refused = 0;
    for (int i = 0; i < 20'000; ++i) {
        const std::pair<size_t, uint64_t> page{random() % kChunks, random() % kChunkPages};
        if (model.contains(page)) {
            CHECK(*index.find(page.first, page.second) == model[page]);
            CHECK(index.drop(page.first, page.second));
            model.erase(page);
            continue;
        }
        CHECK_FALSE(index.drop(page.first, page.second));
        const auto place = index.reserve(1 + random() % kPageSize);
        if (!place) ++refused;
        if (!place) continue;
        index.keep(page.first, page.second, *place);
        model[page] = *place;
    }
    CHECK(refused > 0);
    CHECK(index.pages() == model.size());
    std::vector<int> used(kMiB / kSwapUnit);
    uint64_t units = 0;
    for (const auto& [page, place] : model) {
        for (uint64_t unit = place.unit; unit < place.unit + place.units(); ++unit) ++used.at(unit);
        units += place.units();
    }
    CHECK(std::ranges::max(used) == 1);
    CHECK(index.bytes() == units * kSwapUnit);
    for (const auto& [page, place] : model) CHECK(index.drop(page.first, page.second));
    CHECK(index.bytes() == 0);
    CHECK(index.reserve(kPageSize)->unit == 0);
}
