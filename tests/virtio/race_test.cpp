// Driver and device at the same moment, on two threads.
#include <atomic>
#include <thread>

#include "devices/virtio/queue/chain_io.h"
#include "devices/virtio/queue/virt_queue.h"
#include "tests/virtio/rig.h"
// After ours, whose CHECK is another.
#include "tests/catch.h"

using namespace carrel;
using namespace carrel::virtio;
using namespace carrel::virtio::test;

namespace {

// A driver that rewrites the first descriptors over and over while the device looks at them.
void scribble(const Rig& rig, const std::atomic<bool>& stop) {
    std::byte* const table = rig.memory->regions()[0].host + kDescriptors;
    const uint64_t kWords[] = {kData,
                               kHighEnd - 8,
                               ~uint64_t{0} - 3,
                               kTables,
                               uint64_t{kAvailable | kWrite} << 48 | uint64_t{kWrite} << 32 | 64,
                               uint64_t{kNext | kAvailable} << 48 | uint64_t{kNext} << 32 | 8,
                               uint64_t{kAvailable} << 48 | 0xffff'ffff,
                               uint64_t{kIndirect | kUsed} << 48 | uint64_t{kIndirect} << 32 | 32};
    for (size_t i = 0; !stop.load(std::memory_order_relaxed); ++i)
        __atomic_store_n(reinterpret_cast<uint64_t*>(table) + i % 5, kWords[i * 7 % 11 % 8],
                         __ATOMIC_RELAXED);
}

bool in_ram(const GuestMemory& memory, std::span<const std::byte> piece) {
    for (const auto& region : memory.regions())
        if (piece.data() >= region.host && piece.data() + piece.size() <= region.host + region.size)
            return true;
    return false;
}

}  // namespace

TEST_CASE("rule 1: a driver that changes descriptors while they are read gets a good chain or none") {
    Rig rig(GENERATE(kSplitEvents, kPackedEvents));
    const bool packed = rig.driver->features().packed;
    std::atomic<bool> stop{false};
    std::thread scribbler([&] { scribble(rig, stop); });
    int chains = 0;
    int others = 0;
    bool good = true;
    for (uint16_t i = 0; i < 30'000; ++i) {
        if (!packed) {
            rig.split().offer(i % 2);
            rig.split().publish();
        }
        auto next = rig.queue->pop();
        if (auto* const chain = std::get_if<DescriptorChain>(&next)) {
            ++chains;
            for (size_t k = 0; k < chain->readable().size(); ++k)
                good = good && in_ram(*rig.memory, chain->readable()[k]);
            for (size_t k = 0; k < chain->writable().size(); ++k)
                good = good && in_ram(*rig.memory, chain->writable()[k]);
            chain->complete(0);
        } else {
            ++others;
        }
        rig.queue->publish();
        if (!packed || i % 4 != 0) continue;
        rig.queue = open_queue(*rig.memory, rig.driver->state(), rig.driver->features());
    }
    stop = true;
    scribbler.join();
    CHECK(good);
    CHECK(chains > 0);
    CHECK(others > 0);
}

// The memory orders on both sides: no doorbell and no interrupt is ever lost. A loss would be a hang, which
// the test's time-out ends.
TEST_CASE("neither side sleeps through the other's progress") {
    const auto features = GENERATE(kSplit, kSplitEvents, kPacked, kPackedEvents);
    Rig rig(features, 16);
    constexpr int kChains = 30'000;
    std::atomic<uint32_t> doorbell{0};
    std::atomic<uint32_t> interrupt{0};
    std::thread device([&] {
        int served = 0;
        while (served < kChains) {
            const uint32_t rung = doorbell.load();
            rig.queue->disable_notifications();
            do {
                served += drain(*rig.queue);
                if (!rig.queue->should_interrupt()) continue;
                interrupt.fetch_add(1);
                interrupt.notify_one();
            } while (rig.queue->enable_notifications());
            if (served < kChains) doorbell.wait(rung);
        }
    });
    int sent = 0;
    int back = 0;
    while (back < kChains) {
        const uint32_t seen = interrupt.load();
        while (sent < kChains && sent - back < 16) {
            rig.driver->add({{kData, 8}});
            ++sent;
            if (!rig.driver->publish()) continue;
            doorbell.fetch_add(1);
            doorbell.notify_one();
        }
        int came = 0;
        while (rig.driver->get_used()) ++came;
        back += came;
        if (came != 0 || back == kChains) continue;
        // Ask for the next one, and look again before sleeping.
        if (features.event_idx) rig.driver->interrupt_after(0);
        __atomic_thread_fence(__ATOMIC_SEQ_CST);
        while (rig.driver->get_used()) ++came;
        back += came;
        if (came == 0) interrupt.wait(seen);
    }
    device.join();
    CHECK(back == kChains);
}
