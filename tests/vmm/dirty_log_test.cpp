// Which pages are told as written, and how often.
#include "vmm/memory/dirty_log.h"

#include <sys/mman.h>

#include <atomic>
#include <thread>

#include "tests/catch.h"
#include "vmm/memory/guest_memory.h"

using namespace carrel;

namespace {

constexpr Gpa kHigh{16 * kMiB};

std::unique_ptr<GuestMemory> two_ranges() {
    RamMap map;
    map.ranges = {{Gpa{0}, 100 * kPageSize}, {kHigh, 200 * kPageSize}};
    return GuestMemory::create(map, MemoryBacking::kAnonymous).value();
}

std::vector<Gpa> low(GuestMemory& memory) {
    return memory.take_dirty(Gpa{0}, 100 * kPageSize);
}
std::vector<Gpa> high(GuestMemory& memory) {
    return memory.take_dirty(kHigh, 200 * kPageSize);
}
std::vector<Gpa> pages(std::initializer_list<uint64_t> numbers, Gpa base = Gpa{0}) {
    std::vector<Gpa> list;
    for (const uint64_t n : numbers) list.push_back(base + n * kPageSize);
    return list;
}
void write(GuestMemory& memory, Gpa gpa, size_t length) {
    const std::vector<std::byte> bytes(length, std::byte{1});
    REQUIRE(memory.write_bytes(gpa, bytes));
}

}  // namespace

TEST_CASE("dirty log: the pages that were written, once each, in the ranges asked for") {
    const auto memory = two_ranges();
    write(*memory, Gpa{0}, 10);
    CHECK(low(*memory).empty());  // not switched on
    REQUIRE(memory->start_dirty_log().ok());
    CHECK(low(*memory).empty());
    write(*memory, Gpa{5 * kPageSize - 1}, 2);
    write(*memory, Gpa{63 * kPageSize}, 2 * kPageSize);
    write(*memory, Gpa{99 * kPageSize + 4095}, 1);
    write(*memory, kHigh, 1);
    write(*memory, kHigh + 10 * kPageSize, 150 * kPageSize);
    write(*memory, kHigh + 199 * kPageSize, kPageSize);
    CHECK(memory->take_dirty(Gpa{5 * kPageSize}, 59 * kPageSize) == pages({5, 63}));
    CHECK(low(*memory) == pages({4, 64, 99}));
    CHECK(low(*memory).empty());
    const auto above = high(*memory);
    REQUIRE(above.size() == 152);
    CHECK(above[0] == kHigh);
    CHECK(above[1] == kHigh + 10 * kPageSize);
    CHECK(above[150] == kHigh + 159 * kPageSize);
    CHECK(above[151] == kHigh + 199 * kPageSize);
}

TEST_CASE("dirty log: off, on again, and begun anew") {
    const auto memory = two_ranges();
    REQUIRE(memory->start_dirty_log().ok());
    write(*memory, Gpa{0}, 1);
    memory->stop_dirty_log();
    CHECK(low(*memory).empty());
    write(*memory, Gpa{kPageSize}, 1);
    REQUIRE(memory->start_dirty_log().ok());
    CHECK(low(*memory).empty());
    write(*memory, Gpa{2 * kPageSize}, 1);
    CHECK(low(*memory) == pages({2}));
}

TEST_CASE("dirty log: windows by what was written, detached ones, and what is taken back") {
    const auto memory = two_ranges();
    REQUIRE(memory->start_dirty_log().ok());
    memory->window(Gpa{0}, 3 * kPageSize)->complete(kPageSize + 1);
    CHECK(low(*memory) == pages({0, 1}));
    memory->window(Gpa{0}, 3 * kPageSize)->complete(0);
    CHECK(low(*memory).empty());
    const auto bytes = memory->window(kHigh, kPageSize)->detach();
    CHECK(high(*memory).empty());
    memory->finish(bytes, 1);
    CHECK(high(*memory) == pages({0}, kHigh));
    memory->wrote(bytes.last(8));
    CHECK(high(*memory) == pages({0}, kHigh));
    RamMap map;
    map.ranges = {{Gpa{0}, 4 * kMiB}};
    const auto large = GuestMemory::create(map, MemoryBacking::kAnonymous).value();
    REQUIRE(large->start_dirty_log().ok());
    large->discard(Gpa{kMiB}, 3 * kMiB);
    CHECK(large->take_dirty(Gpa{0}, 4 * kMiB).size() == 512);
}

TEST_CASE("dirty log: what one thread writes, the one that takes sees, or finds marked again") {
    const auto memory = two_ranges();
    REQUIRE(memory->start_dirty_log().ok());
    constexpr uint32_t kLast = 20000;
    std::thread writer([&] {
        for (uint32_t n = 1; n <= kLast; ++n) {
            auto window = memory->window(Gpa{0}, 4);
            __atomic_store_n(reinterpret_cast<uint32_t*>(window->bytes().data()), n, __ATOMIC_RELAXED);
            window->complete(4);
        }
    });
    const auto copy = [&] {
        return __atomic_load_n(reinterpret_cast<const uint32_t*>(memory->slice(Gpa{0}, 4)->data()),
                               __ATOMIC_RELAXED);
    };
    uint32_t copied = 0;
    while (copied < kLast / 2)
        if (!low(*memory).empty()) copied = copy();
    writer.join();
    if (!low(*memory).empty()) copied = copy();
    CHECK(copied == kLast);
}
