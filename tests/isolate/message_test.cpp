// What a host and a guest's process say to each other, as bytes and back, and bytes that nobody wrote.
#include "vmm/isolate/message.h"

#include <random>

#include "tests/catch.h"

using namespace carrel;
using namespace carrel::isolate;

namespace {

Word full_answer() {
    GuestStats stats;
    stats.time = 5;
    stats.restarts = 3;
    stats.io = 77;
    stats.machine.exits = 1000;
    stats.machine.malformed = {{"virtio-blk 0", 2}};
    stats.machine.traffic = {{"virtio-net 0 (tap0)", {.received = 9, .refused = 4}, {.spoofed = 1}}};
    stats.machine.balloon.emplace().told[3] = 42;
    stats.machine.memory = MemoryReport{.limit = 64,
                                        .charged = 32,
                                        .held = true,
                                        .swap = SwapReport{.size = 16, .outs = 4, .trouble = "full"}};
    stats.vcpus.resize(2);
    stats.vcpus[1].exits = 8;
    stats.vcpus[1].sample = VcpuSample{12, {.wall = 100, .run = 60, .paused = 7}, true};
    return Answer{7, usage_error("no", "try again"), std::move(stats)};
}

}  // namespace

TEST_CASE("isolate: what is said is heard, every field of it") {
    const auto heard = word_of(to_bytes(full_answer()));
    REQUIRE(heard.has_value());
    const Answer& answer = std::get<Answer>(*heard);
    CHECK(answer.order == 7);
    CHECK(answer.refused->sentence() == "no; try again");
    CHECK(answer.refused->fault == Fault::kUsage);
    const GuestStats& stats = *answer.stats;
    CHECK(stats.io == 77);
    CHECK(stats.machine.malformed.at(0).device == "virtio-blk 0");
    CHECK(stats.machine.traffic.at(0).frames.refused == 4);
    CHECK(stats.machine.traffic.at(0).losses.spoofed == 1);
    CHECK(stats.machine.balloon->told[3] == 42);
    CHECK_FALSE(stats.machine.balloon->told[4].has_value());
    CHECK(stats.machine.memory->held);
    CHECK(stats.machine.memory->swap->outs == 4);
    CHECK(stats.machine.memory->swap->trouble == "full");
    CHECK_FALSE(stats.vcpus.at(0).sample.has_value());
    CHECK(stats.vcpus.at(1).sample->times.paused == 7);
    CHECK(stats.vcpus.at(1).sample->halts_known);

    const auto news = word_of(to_bytes(News{
        GuestEvent::Kind::kEnded, GuestState::kEnded, "d", "w", MachineEnd{EndReason::kPanic, "x"}, {}}));
    REQUIRE(news.has_value());
    CHECK(std::get<News>(*news).end->reason == EndReason::kPanic);
    const auto order = order_of(to_bytes(Order{3, Order::What::kStop, 10 * kSecond, "t"}));
    REQUIRE(order.has_value());
    CHECK(order->what == Order::What::kStop);
    CHECK(order->patience == 10 * kSecond);
}

TEST_CASE(
    "isolate: a message that is cut, longer or changed makes sense or is refused, and does nothing else") {
    const auto bytes = to_bytes(full_answer());
    for (size_t size = 0; size < bytes.size(); ++size)
        REQUIRE_FALSE(word_of(std::span(bytes).first(size)).has_value());
    auto longer = bytes;
    longer.push_back({});
    CHECK_FALSE(word_of(longer).has_value());
    std::mt19937 random(1);
    size_t refused = 0;
    for (int i = 0; i < 20'000; ++i) {
        auto changed = bytes;
        for (unsigned n = random() % 4 + 1; n != 0; --n)
            changed[random() % changed.size()] = static_cast<std::byte>(random());
        const auto word = word_of(changed);
        if (!word)
            ++refused;
        else
            REQUIRE(to_bytes(*word).size() == changed.size());
        (void)order_of(changed);
    }
    CHECK(refused > 1000);
}
