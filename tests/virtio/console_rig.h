// A console and its driver over one memory, without a transport: two queues, each with areas of its own.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "devices/virtio/console/console.h"
#include "tests/devices/fakes.h"
#include "tests/virtio/driver.h"

namespace carrel::virtio::test {

class ConsoleSide final : private DeviceEvents {
  public:
    static constexpr uint64_t kFeatures = kVersion1 | kIndirectDesc | kConsoleSize;
    static constexpr uint16_t kSize = 64;

    explicit ConsoleSide(bool go = true) {
        listener.then = [this] { room = console.room(); };
        console.connect(*memory, *this);
        if (go) start();
    }
    ~ConsoleSide() override { console.reset(); }

    // DRIVER_OK with empty queues.
    const char* start(uint64_t features = kFeatures) {
        const std::vector<std::byte> zeros(0x8000);
        for (const uint64_t area : {kDescriptors, kDriverArea, kDeviceArea})
            memory->write_bytes(Gpa{area}, zeros);
        const QueueFeatures rings{.packed = false, .event_idx = false, .indirect = true};
        receive = make_driver(*memory, kSize, rings);
        transmit = make_driver(*memory, kSize, rings, 0x4000);
        const std::array<QueueState, 2> states{receive->state(), transmit->state()};
        const char* const wrong = console.activate({features, states});
        run_again();
        return wrong;
    }
    void kick(Driver& queue) {
        queue.publish();
        console.notify(&queue == transmit.get() ? kConsoleTransmit : kConsoleReceive);
    }
    // What the device asked for with again(), at most so many times.
    void run_again(unsigned most = 10'000) {
        for (; !agains.empty() && most > 0; --most) {
            const uint16_t queue = agains.front();
            agains.erase(agains.begin());
            console.notify(queue);
        }
    }
    void fill(uint64_t at, std::string_view text) {
        memory->write_bytes(Gpa{at}, std::as_bytes(std::span(text)));
    }
    std::string text(uint64_t at, size_t length) const {
        std::string out(length, '\0');
        memory->read_bytes(Gpa{at}, std::as_writable_bytes(std::span(out)));
        return out;
    }
    // As a driver that sends: in descriptors of these lengths, one behind the other at kData.
    void send(std::string_view text, const std::vector<uint32_t>& lengths) {
        fill(kData, text);
        Buffers buffers;
        uint64_t at = kData;
        for (const uint32_t length : lengths) {
            buffers.push_back({at, length});
            at += length;
        }
        transmit->add(buffers);
        kick(*transmit);
        run_again();
    }
    void type(std::string_view text) { console.receive(std::as_bytes(std::span(text))); }
    WindowSize size() {
        std::array<uint16_t, 2> words{};
        console.read_config(0, std::as_writable_bytes(std::span(words)));
        return {words[0], words[1]};
    }

    std::unique_ptr<GuestMemory> memory = make_memory();
    carrel::test::FakeSink sink;
    carrel::test::FakeListener listener;
    ManualClock clock;
    int turns = 0;  // of sending
    Console console{sink, listener, clock, [this] { ++turns; }};
    std::unique_ptr<Driver> receive, transmit;
    std::vector<uint16_t> agains;
    size_t room = 0;  // when it was last told
    int interrupts = 0, config_changes = 0;
    bool broken = false;

  private:
    void used(uint16_t) override { ++interrupts; }
    void config_changed() override { ++config_changes; }
    void needs_reset() override { broken = true; }
    void again(uint16_t queue) override { agains.push_back(queue); }
};

}  // namespace carrel::virtio::test
