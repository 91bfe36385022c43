// A guest's memory beyond its quota: it goes to a file and comes back.
#include <sys/mman.h>

#include <algorithm>
#include <random>
#include <vector>

#include "tests/vmm/quota_rig.h"

using namespace carrel;

namespace {

constexpr uint64_t kPages = QuotaRig::kRam / kPageSize;

// What a page holds by a number: 0 is zeros; of the others every third can't be packed.
PageBytes content(uint64_t number) {
    PageBytes page{};
    if (number == 0) return page;
    std::mt19937_64 random(number);
    const size_t period = number % 3 == 0 ? page.size() : 24;
    for (size_t i = 0; i < page.size(); ++i) page[i] = i < period ? std::byte(random()) : page[i - period];
    return page;
}

struct SwapRig : QuotaRig {
    explicit SwapRig(uint64_t limit, uint64_t size = kRam)
        : SwapRig(limit, size, Fd(::memfd_create("swap", MFD_CLOEXEC | MFD_ALLOW_SEALING))) {}
    SwapRig(uint64_t limit, uint64_t size, Fd fd)
        : QuotaRig(limit, SwapFile(Fd(::dup(fd.get())), size)), file(std::move(fd)) {}

    // As a vCPU does: denied, it waits and tries again. False: it would have to for good.
    template <class Call>
    bool patiently(const Call& call) const {
        bool done = false;
        const auto over = [&] {
            return (done = call() == static_cast<ssize_t>(kPageSize)) || service().report().stuck;
        };
        return soon(over) && done;
    }
    // Both by any thread.
    bool fill(uint64_t page, uint64_t number) const {
        const Fd source(::memfd_create("page", MFD_CLOEXEC));
        const PageBytes bytes = content(number);
        if (::pwrite(source.get(), bytes.data(), bytes.size(), 0) != static_cast<ssize_t>(kPageSize))
            return false;
        return patiently([&] { return ::pread(source.get(), at(page * kPageSize), kPageSize, 0); });
    }
    bool holds(uint64_t page, uint64_t number) const {
        const Fd sink(::memfd_create("page", MFD_CLOEXEC));
        if (!patiently([&] { return ::pwrite(sink.get(), at(page * kPageSize), kPageSize, 0); }))
            return false;
        PageBytes bytes;
        const bool read =
            ::pread(sink.get(), bytes.data(), bytes.size(), 0) == static_cast<ssize_t>(kPageSize);
        return read && bytes == content(number);
    }
    SwapReport swap() const { return *service().report().swap; }
    Fd file;
};

// Its half of the memory is used at random, and compared with what it has to be. Returns how often it wasn't.
template <class GoOn>
uint64_t use(const SwapRig& rig, uint64_t first, uint64_t seed, const GoOn& go_on) {
    std::mt19937_64 random(seed);
    std::vector<uint64_t> model(kPages / 2);
    uint64_t wrong = 0;
    for (uint64_t i = 1; go_on(i); ++i) {
        const uint64_t page = random() % model.size();
        const uint64_t count = std::min(1 + random() % 16, model.size() - page);
        const Gpa gpa{(first + page) * kPageSize};
        const uint64_t kind = random() % 8;
        if (kind == 0) {
            rig.memory->release(gpa, count * kPageSize);
            std::fill_n(model.begin() + static_cast<long>(page), count, 0);
        } else if (kind == 1) {
            auto window = rig.memory->window(gpa, count * kPageSize);
            if (!window) continue;
            for (uint64_t j = 0; j < count; ++j) {
                const auto now = window->bytes().subspan(j * kPageSize, kPageSize);
                wrong += std::ranges::equal(now, content(model[page + j])) ? 0 : 1;
                model[page + j] = seed * i;
                std::ranges::copy(content(seed * i), now.begin());
            }
            window->complete(count * kPageSize);
        } else if (kind < 4) {
            wrong += rig.holds(first + page, model[page]) ? 0 : 1;
        } else {
            model[page] = random() % 5 == 0 ? 0 : seed * i;
            wrong += rig.fill(first + page, model[page]) ? 0 : 1;
        }
    }
    for (uint64_t page = 0; page < model.size(); ++page)
        wrong += rig.holds(first + page, model[page]) ? 0 : 1;
    return wrong;
}

constexpr uint64_t kRandomLimit = 12 * kMiB;

// `beside`: what goes on meanwhile, again and again.
template <class Beside>
void use_at_random(const SwapRig& rig, uint64_t times, const Beside& beside) {
    std::atomic<bool> done{false};
    uint64_t others_wrong = 0;
    std::thread other([&] { others_wrong = use(rig, kPages / 2, 7, [&](uint64_t) { return !done; }); });
    std::thread third([&] {
        while (!done) beside();
    });
    const uint64_t wrong = use(rig, 0, 5, [&](uint64_t i) {
        if (i % 100 == 0) CHECK(rig.resident() <= kRandomLimit / kPageSize);
        return i <= times;
    });
    done = true;
    other.join();
    third.join();
    CHECK(wrong == 0);
    CHECK(others_wrong == 0);
    CHECK(rig.service().report().peak <= kRandomLimit);
    CHECK(rig.swap().ins > times / 10);
    CHECK(rig.listener.stuck == 0);
}

}  // namespace

TEST_CASE("swap: a guest with more than its quota has every byte of it, and never more than that is there") {
    SwapRig rig(8 * kMiB);
    if (!rig.memory) return;
    for (uint64_t page = 0; page < kPages; ++page) {
        REQUIRE(rig.fill(page, page));
        if (page % 512 == 0) CHECK(rig.resident() <= 8 * kMiB / kPageSize);
    }
    CHECK(rig.swap().outs > kPages / 2);
    for (uint64_t page = 0; page < kPages; ++page) {
        REQUIRE(rig.holds(page, page));
        if (page % 512 == 0) CHECK(rig.resident() <= 8 * kMiB / kPageSize);
    }
    CHECK(rig.service().report().peak <= 8 * kMiB);
    CHECK(rig.listener.stuck == 0);
    // What is given back is gone from the file, too.
    for (uint64_t at = 0; at < QuotaRig::kRam; at += kChunkSize) rig.memory->release(Gpa{at}, kChunkSize);
    CHECK(QuotaRig::soon([&] { return rig.swap().used == 0; }));  // one may have been on its way
    CHECK(rig.service().report().charged == 0);
    for (uint64_t page = 0; page < kPages; page += 97) REQUIRE(rig.holds(page, 0));
}

TEST_CASE("swap: 10,000 random touches, discards and refaults: every byte is right, the quota holds") {
    SwapRig rig(kRandomLimit);
    if (!rig.memory) return;
    use_at_random(rig, 10'000, [] { std::this_thread::sleep_for(std::chrono::milliseconds(1)); });
}

TEST_CASE("swap: the same from a disk whose pages the host keeps forgetting") {
    char name[] = "/var/tmp/carrel-swap-XXXXXX";
    Fd file(::mkstemp(name));
    REQUIRE(file.valid());
    ::unlink(name);
    SwapRig rig(kRandomLimit, QuotaRig::kRam, std::move(file));
    if (!rig.memory) return;
    use_at_random(rig, 1'000, [&] {
        ::fdatasync(rig.file.get());
        ::posix_fadvise(rig.file.get(), 0, 0, POSIX_FADV_DONTNEED);
    });
    CHECK(rig.service().report().denials > 0);  // who wants to write waits for the disk outside the fault
}

TEST_CASE("swap: a full file holds the guest with the reason, and a larger quota lets it go on") {
    SwapRig rig(8 * kMiB, kMiB);
    if (!rig.memory) return;
    uint64_t page = 0;
    while (page < kPages && rig.fill(page, 3)) ++page;  // that doesn't let itself be packed
    CHECK(page >= (8 + 1) * kMiB / kPageSize - 64);
    CHECK(page <= (8 + 1) * kMiB / kPageSize);
    CHECK(rig.swap().used == kMiB);
    CHECK(rig.swap().trouble == "its swap file is full");
    CHECK(QuotaRig::soon([&] { return rig.listener.stuck == 1; }));
    CHECK(rig.service().report().stuck);
    rig.service().set_limit(16 * kMiB);
    CHECK(rig.fill(page, 3));
    CHECK(QuotaRig::soon([&] { return rig.listener.enough == 1; }));
    CHECK_FALSE(rig.service().report().stuck);
    for (uint64_t i = 0; i <= page; ++i) REQUIRE(rig.holds(i, 3));
}

TEST_CASE("swap: a file that can't be written any more holds the guest, and nothing is lost") {
    SwapRig rig(8 * kMiB);
    if (!rig.memory) return;
    uint64_t page = 0;
    for (; page < 3000; ++page) REQUIRE(rig.fill(page, page));
    REQUIRE(::fcntl(rig.file.get(), F_ADD_SEALS, F_SEAL_GROW | F_SEAL_FUTURE_WRITE) == 0);
    while (page < kPages && rig.fill(page, page)) ++page;
    CHECK(page < 4000);
    CHECK(rig.swap().trouble.find("can't be written") != std::string::npos);
    CHECK(rig.listener.stuck == 1);
    rig.service().set_limit(QuotaRig::kRam);
    for (uint64_t i = 0; i < page; ++i) REQUIRE(rig.holds(i, i));
}

TEST_CASE("swap: a file that somebody has changed holds the guest, and gives it nothing that isn't its own") {
    for (const bool cut : {true, false}) {
        SwapRig rig(8 * kMiB);
        if (!rig.memory) return;
        for (uint64_t page = 0; page < 6000; ++page) REQUIRE(rig.fill(page, page));
        const std::vector<std::byte> junk(SwapFile::kStart + rig.swap().used, std::byte{0x77});
        if (cut) REQUIRE(::ftruncate(rig.file.get(), 0) == 0);
        if (!cut) REQUIRE(::pwrite(rig.file.get(), junk.data(), junk.size(), 0) > 0);
        uint64_t held = 6000;
        while (held > 0 && rig.holds(held - 1, held - 1)) --held;
        CHECK(held > 2000);  // those were there
        CHECK(rig.swap().trouble.find("isn't what was written") != std::string::npos);
        CHECK(QuotaRig::soon([&] { return rig.listener.stuck == 1; }));
        CHECK(rig.touch(held - 1) == EFAULT);
    }
}

TEST_CASE("swap: a lowered limit drives out what is above it") {
    SwapRig rig(32 * kMiB);
    if (!rig.memory) return;
    for (uint64_t page = 0; page < 6000; ++page) REQUIRE(rig.fill(page, page));
    rig.service().set_limit(8 * kMiB);
    CHECK(QuotaRig::soon([&] { return rig.service().report().charged <= 8 * kMiB; }));
    CHECK(rig.resident() <= 8 * kMiB / kPageSize);
    for (uint64_t page = 0; page < 6000; ++page) REQUIRE(rig.holds(page, page));
}

TEST_CASE("swap: what one of ours uses doesn't leave") {
    SwapRig rig(8 * kMiB);
    if (!rig.memory) return;
    auto window = rig.memory->window(Gpa{kMiB}, kPageSize);
    REQUIRE(window);
    std::ranges::copy(content(5), window->bytes().begin());
    for (uint64_t page = 1000; page < kPages; ++page) REQUIRE(rig.fill(page, page));
    CHECK(std::ranges::equal(window->bytes(), content(5)));
    window->complete(kPageSize);
    for (uint64_t page = 1000; page < kPages; ++page) REQUIRE(rig.fill(page, page + 1));
    CHECK(rig.holds(kMiB / kPageSize, 5));
}
