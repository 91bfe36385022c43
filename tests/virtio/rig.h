// A device's queue and its driver, over one memory.
#pragma once

#include <cstdlib>
#include <memory>
#include <string>
#include <variant>

#include "devices/virtio/queue/virt_queue.h"
#include "tests/virtio/driver.h"

namespace carrel::virtio::test {

inline constexpr QueueFeatures kSplit{};
inline constexpr QueueFeatures kSplitEvents{.packed = false, .event_idx = true, .indirect = true};
inline constexpr QueueFeatures kPacked{.packed = true, .event_idx = false, .indirect = false};
inline constexpr QueueFeatures kPackedEvents{.packed = true, .event_idx = true, .indirect = true};

inline std::unique_ptr<VirtQueue> open_queue(GuestMemory& memory, const QueueState& state,
                                             const QueueFeatures& features) {
    auto opened = VirtQueue::open(memory, state, features);
    auto* const queue = std::get_if<std::unique_ptr<VirtQueue>>(&opened);
    return queue != nullptr ? std::move(*queue) : nullptr;
}

// The next chain; it must be there.
inline DescriptorChain pop_chain(VirtQueue& queue) {
    auto result = queue.pop();
    auto* const chain = std::get_if<DescriptorChain>(&result);
    if (chain == nullptr) std::abort();
    return std::move(*chain);
}
// "" for an empty queue, else the words of what is wrong; "chain" for a good one, which is completed.
inline std::string pop_words(VirtQueue& queue) {
    auto result = queue.pop();
    if (std::holds_alternative<Empty>(result)) return "";
    if (std::holds_alternative<Busy>(result)) return "busy";
    if (const auto* malformed = std::get_if<Malformed>(&result))
        return std::string("malformed: ") + malformed->reason;
    if (const auto* error = std::get_if<QueueError>(&result)) return std::string("broken: ") + error->reason;
    std::get<DescriptorChain>(result).complete(0);
    return "chain";
}
// Serves all that is there, writing nothing; how many chains.
inline int drain(VirtQueue& queue) {
    int chains = 0;
    while (pop_words(queue) == "chain") ++chains;
    queue.publish();
    return chains;
}

struct Rig {
    explicit Rig(const QueueFeatures& features, uint16_t size = 8)
        : driver(make_driver(*memory, size, features)),
          queue(open_queue(*memory, driver->state(), features)) {}
    SplitDriver& split() { return static_cast<SplitDriver&>(*driver); }
    PackedDriver& packed() { return static_cast<PackedDriver&>(*driver); }
    // The queue saved, closed, and opened anew from the bytes.
    bool reopen() {
        ByteWriter writer;
        queue->state().save(writer);
        ByteReader reader(writer.bytes());
        const auto state = QueueState::restore(reader, driver->features(), 32768);
        queue.reset();
        if (state) queue = open_queue(*memory, *state, driver->features());
        return queue != nullptr;
    }

    std::unique_ptr<GuestMemory> memory = make_memory();
    std::unique_ptr<Driver> driver;
    std::unique_ptr<VirtQueue> queue;
};

}  // namespace carrel::virtio::test
