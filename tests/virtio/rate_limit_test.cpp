// A rate limit by itself, in a time of the test's own.
#include "devices/virtio/rate_limit.h"

#include <algorithm>
#include <limits>

#include "tests/catch.h"

using namespace carrel;
using namespace carrel::virtio;

namespace {

constexpr Nanoseconds kBurst = RateConfig::kBurst;
constexpr uint32_t kMost = std::numeric_limits<uint32_t>::max();

// Takes `size` as often as may be in [from, to), at once when it may; how many tokens.
uint64_t greedy(TokenBucket& bucket, uint32_t size, Nanoseconds from, Nanoseconds to) {
    uint64_t taken = 0;
    for (Nanoseconds now = std::max(from, bucket.opens_at()); now < to;
         now = std::max(now, bucket.opens_at())) {
        bucket.take(size, now);
        taken += size;
    }
    return taken;
}

}  // namespace

TEST_CASE("bucket: over a second what its rate says and one burst, over the next one not an operation more") {
    const uint64_t rate = GENERATE(uint64_t{1000}, uint64_t{12'345}, uint64_t{1'000'003},
                                   uint64_t{100'000'000}, uint64_t{999'999'999'937});
    const auto size = static_cast<uint32_t>(std::min<uint64_t>(rate / 1000, 1u << 24));
    TokenBucket bucket(rate, kBurst);
    const uint64_t burst = rate / 100;
    Nanoseconds start = 5 * kSecond;
    CHECK(greedy(bucket, size, start, start + kSecond) <= rate + burst + size);
    for (int second = 1; second < 5; ++second) {
        start += kSecond;
        const uint64_t taken = greedy(bucket, size, start, start + kSecond);
        CHECK(taken + size >= rate);
        CHECK(taken <= rate + size);
    }
}

TEST_CASE("bucket: nothing is lost to rounding in an hour") {
    TokenBucket bucket(7, kBurst);  // a seventh of a second is no whole number of nanoseconds
    bucket.take(1, 0);
    for (int i = 1; i < 3600 * 7; ++i) bucket.take(1, bucket.opens_at());
    CHECK(bucket.opens_at() == 3600 * kSecond - kBurst);
}

TEST_CASE("bucket: idle time is saved up to the burst, however long it was") {
    TokenBucket bucket(1000, 100 * kMillisecond);
    const Nanoseconds now = 1'000'000 * kSecond;
    uint64_t at_once = 0;
    for (; bucket.opens_at() <= now; ++at_once) bucket.take(1, now);
    CHECK(at_once == 101);  // the last one is owed
    CHECK(bucket.opens_at() == now + kMillisecond);
}

TEST_CASE("bucket: what is larger than the burst passes, and the others wait for it") {
    TokenBucket bucket(1000, kBurst);
    CHECK(bucket.opens_at() <= 0);
    bucket.take(5000, 0);
    CHECK(bucket.opens_at() == 5 * kSecond - kBurst);
    bucket.take(5000, bucket.opens_at());
    CHECK(bucket.opens_at() == 10 * kSecond - kBurst);
}

TEST_CASE("bucket: no rate, no limit") {
    TokenBucket bucket(0, kBurst);
    for (int i = 0; i < 100; ++i) bucket.take(kMost, 0);
    CHECK(bucket.opens_at() <= 0);
}

TEST_CASE("bucket: no value overflows; a debt of centuries stays one") {
    TokenBucket slow(1, RateConfig::kLongestBurst);
    Nanoseconds before = slow.opens_at();
    for (int i = 0; i < 8; ++i) {
        slow.take(kMost, kSecond);
        CHECK(slow.opens_at() >= before);
        before = slow.opens_at();
    }
    CHECK(before > std::numeric_limits<Nanoseconds>::max() / 2);
    slow.change(RateConfig::kMost, kBurst, kSecond);  // and can be let off
    CHECK(slow.opens_at() <= kSecond + 10 * kSecond);
    slow.change(1, RateConfig::kLongestBurst, std::numeric_limits<Nanoseconds>::max() - 1);
    slow.take(kMost, std::numeric_limits<Nanoseconds>::max() - 1);

    TokenBucket fast(RateConfig::kMost, kBurst);
    for (int i = 0; i < 1000; ++i) fast.take(kMost, 0);
    CHECK(fast.opens_at() <= 0);  // 4 TB, of 11 PB that are saved up
    fast.take(0, 0);
    CHECK(fast.opens_at() <= 0);
}

TEST_CASE("bucket: time that stands still or goes back opens nothing, time that jumps gives one burst") {
    TokenBucket bucket(1000, kBurst);
    const Nanoseconds now = 100 * kSecond;
    for (int i = 0; i < 11; ++i) bucket.take(1, now);
    const Nanoseconds opens = bucket.opens_at();
    CHECK(opens > now);
    bucket.take(1, now - 50 * kSecond);
    CHECK(bucket.opens_at() == opens + kMillisecond);
    const Nanoseconds far = now + 365 * 24 * 3600 * kSecond;
    CHECK(greedy(bucket, 1, far, far + 1) == 11);
}

TEST_CASE("bucket: a changed rate counts from then on, and forgets no debt") {
    const Nanoseconds now = 7 * kSecond;
    TokenBucket bucket(1000, kBurst);
    for (int i = 0; i < 110; ++i) bucket.take(1, now);  // 100 ms in debt
    REQUIRE(bucket.opens_at() == now + 100 * kMillisecond);
    SECTION("a faster one pays it off sooner") {
        bucket.change(10'000, kBurst, now);
        CHECK(bucket.opens_at() == now + 10 * kMillisecond);
    }
    SECTION("a slower one not later, but what comes then is slower") {
        bucket.change(10, kBurst, now);
        CHECK(bucket.opens_at() == now + 100 * kMillisecond);
        bucket.take(1, bucket.opens_at());
        CHECK(bucket.opens_at() == now + 200 * kMillisecond);
    }
    SECTION("the same one, said a hundred times, gives nothing") {
        for (int i = 0; i < 100; ++i) bucket.change(1000, kBurst, now);
        CHECK(bucket.opens_at() == now + 100 * kMillisecond);
    }
    SECTION("none opens it at once, and one again begins with a burst") {
        bucket.change(0, kBurst, now);
        CHECK(bucket.opens_at() <= now);
        bucket.change(1000, kBurst, now + kSecond);
        CHECK(greedy(bucket, 1, now + kSecond, now + 2 * kSecond) == 1010);
    }
    SECTION("what was saved up is kept as far as the new burst goes") {
        const Nanoseconds later = now + 60 * kSecond;
        bucket.change(1000, 5 * kMillisecond, later);
        CHECK(greedy(bucket, 1, later, later + 1) == 6);
        bucket.change(1000, 50 * kMillisecond, later);  // more room, but nothing in it yet
        CHECK(bucket.opens_at() == later + kMillisecond);
    }
}

TEST_CASE("rate limit: bytes and operations, whichever runs out first") {
    RateLimit limit({.bytes = 1'000'000, .operations = 1000, .burst = {}});
    limit.take(500, kSecond);
    CHECK(limit.opens_at() == kSecond + kMillisecond - kBurst);
    limit.take(1'000'000, kSecond);
    CHECK(limit.opens_at() == kSecond + 1000 * kMillisecond + kMillisecond / 2 - kBurst);
    limit.change({.bytes = 0, .operations = 1000, .burst = {}}, kSecond);
    CHECK(limit.opens_at() == kSecond + 2 * kMillisecond - kBurst);
    limit.change({}, kSecond);
    CHECK(limit.opens_at() <= kSecond);
}
