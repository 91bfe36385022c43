#include "vmm/memory/fault_service.h"

#include <algorithm>
#include <atomic>
#include <fstream>
#include <iterator>
#include <random>
#include <string>
#include <thread>

#include "tests/vmm/quota_rig.h"
#include "vmm/memory/mapping_budget.h"

using namespace carrel;

namespace {

using Rig = QuotaRig;

constexpr uint64_t kReserve = 64;

}  // namespace

TEST_CASE("quota: memory is given as it is touched, and denied beyond; a raised limit gives it") {
    Rig rig(8 * kMiB);
    if (!rig.memory) return;
    uint64_t page = 0;
    while (rig.touch(page) == 0) ++page;
    CHECK(page == 8 * kMiB / kPageSize - kReserve);  // the reserve is for reads
    CHECK(rig.touch(page) == EFAULT);
    CHECK(rig.resident() <= 8 * kMiB / kPageSize);
    CHECK(rig.touch(0) == 0);
    CHECK(rig.touch(6000) == EFAULT);
    uint64_t seen = 0;
    CHECK(rig.service().explain(seen) == FaultService::Refusal::kDenied);
    CHECK(Rig::soon([&] { return rig.listener.falls_short == 1; }));
    CHECK(rig.service().report().held);
    rig.service().set_limit(12 * kMiB);
    CHECK(rig.listener.given == 1);
    CHECK(rig.listener.enough == 1);
    CHECK(rig.service().explain(seen) == FaultService::Refusal::kOver);
    CHECK(rig.service().explain(seen) == FaultService::Refusal::kNotOurs);
    CHECK(rig.touch(page) == 0);
    CHECK(rig.touch(6000) == 0);
    CHECK(rig.listener.near >= 1);
}

TEST_CASE("quota: what is given back is zeros afterwards, and others have it") {
    Rig rig(8 * kMiB);
    if (!rig.memory) return;
    *rig.memory->window(Gpa{0}, 1)->bytes().data() = std::byte{7};
    uint64_t page = 0;
    while (rig.touch(page) == 0) ++page;
    CHECK(rig.touch(9000) == EFAULT);
    // By a whole chunk.
    CHECK(rig.memory->release(Gpa{2 * kMiB}, 2 * kMiB) == 2 * kMiB);
    CHECK(rig.touch(9000) == 0);
    CHECK(rig.service().report().charged <= 8 * kMiB);
    // By the page, out of a whole one.
    while (rig.touch(page) == 0) ++page;
    const uint64_t before = rig.service().report().charged;
    CHECK(rig.memory->release(Gpa{0}, 3 * kPageSize) == 3 * kPageSize);
    CHECK(rig.service().report().charged == before - 3 * kPageSize);
    CHECK(rig.memory->read<uint8_t>(Gpa{0}) == 0);
    CHECK(rig.service().report().charged == before - 2 * kPageSize);
    CHECK(rig.resident() <= 8 * kMiB / kPageSize);
}

TEST_CASE("quota: our own threads are refused, not killed, and told when to try again") {
    Rig rig(8 * kMiB);
    if (!rig.memory) return;
    const auto first = rig.memory->window(Gpa{0}, 6 * kMiB);
    REQUIRE(first);
    CHECK_FALSE(rig.memory->window(Gpa{16 * kMiB}, 4 * kMiB));
    CHECK(rig.memory->short_of(Gpa{16 * kMiB}, 4 * kMiB));
    CHECK_FALSE(rig.memory->short_of(Gpa{Rig::kRam}, 1));
    CHECK(rig.memory->window(Gpa{16 * kMiB}, 16));
    CHECK(Rig::soon([&] { return rig.listener.falls_short == 1; }));
    rig.service().set_limit(32 * kMiB);
    CHECK(rig.listener.retry == 1);
    CHECK(rig.memory->window(Gpa{16 * kMiB}, 4 * kMiB));
    CHECK(rig.service().report().charged <= 32 * kMiB);
}

TEST_CASE("quota: what one of ours uses stays charged and usable though the guest gives it back") {
    Rig rig(8 * kMiB);
    if (!rig.memory) return;
    for (const bool used : {true, false}) {
        auto window = rig.memory->window(Gpa{2 * kMiB}, 2 * kPageSize);
        REQUIRE(window);
        window->bytes()[0] = std::byte{5};
        const uint64_t before = rig.service().report().charged;
        CHECK(rig.memory->release(Gpa{2 * kMiB}, 2 * kMiB) == 2 * kMiB);
        CHECK(rig.service().report().charged == before);
        uint64_t page = 4096;
        while (rig.touch(page) == 0) ++page;  // the quota is used up
        if (used) CHECK(window->bytes()[0] == std::byte{0});
        if (used) window->bytes()[kPageSize] = std::byte{1};
        window->complete(2 * kPageSize);
        // What nobody has touched since is charged no more.
        CHECK((rig.touch(page) == 0) == !used);
        if (used) CHECK(rig.memory->read<uint8_t>(Gpa{2 * kMiB + kPageSize}) == 1);
        CHECK(rig.resident() <= 8 * kMiB / kPageSize);
        for (uint64_t chunk = 0; chunk < Rig::kRam; chunk += kChunkSize)
            rig.memory->release(Gpa{chunk}, kChunkSize);
        CHECK(rig.service().report().charged == 0);
    }
}

TEST_CASE("quota: 10,000 random discards and refaults never exceed it, nor the budget of mappings") {
    constexpr uint64_t kLimit = 24 * kMiB;
    Rig rig(kLimit);
    if (!rig.memory) return;
    std::mt19937_64 random(5);
    const auto mappings = [] {
        std::ifstream maps("/proc/self/maps");
        return std::count(std::istreambuf_iterator<char>(maps), {}, '\n');
    };
    const auto before = mappings();
    std::atomic<bool> done{false};
    std::thread toucher([&] {
        std::mt19937_64 other(6);
        while (!done) rig.touch(other() % (Rig::kRam / kPageSize));
    });
    for (int i = 0; i < 10'000; ++i) {
        const uint64_t page = random() % (Rig::kRam / kPageSize);
        switch (random() % 4) {
            case 0: rig.memory->release(Gpa{page / kChunkPages * kChunkSize}, kChunkSize); break;
            case 1: rig.memory->release(Gpa{page * kPageSize}, kPageSize * (1 + random() % 8)); break;
            case 2: rig.memory->window(Gpa{page * kPageSize}, kPageSize); break;
            default: rig.touch(page);
        }
        if (i % 100 != 0) continue;
        CHECK(rig.service().report().charged <= kLimit);
        CHECK(rig.resident() <= kLimit / kPageSize);
        CHECK(mappings() - before <= static_cast<long>(ChunkMapping::most_mappings(Rig::kRam)));
    }
    done = true;
    toucher.join();
    for (uint64_t page = 0; page < Rig::kRam / kPageSize; ++page) rig.touch(page);
    CHECK(rig.service().report().peak <= kLimit);
    CHECK(rig.service().report().denials > 0);
}

TEST_CASE("mappings: a process's budget is shared, refused with the sums, and given back") {
    DirectOpener opener;
    MappingBudget budget;
    {
        const auto first = budget.take(opener, 1000);
        REQUIRE(first.ok());
        const auto refused = budget.take(opener, uint64_t{1} << 40);
        REQUIRE_FALSE(refused.ok());
        CHECK(refused.error().sentence().find("max_map_count") != std::string::npos);
        CHECK(budget.taken() == 1000);
    }
    CHECK(budget.taken() == 0);
}
