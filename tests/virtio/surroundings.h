// What the tests' transports and devices are connected to.
#pragma once

#include <memory>

#include "devices/virtio/features.h"
#include "tests/virtio/driver.h"
#include "tests/virtio/loop_pump.h"

namespace carrel::virtio::test {

inline constexpr uint64_t kRingFeatures = kIndirectDesc | kEventIdx;

struct Surroundings {
    SystemClock clock;
    std::unique_ptr<EventLoop> loop = EventLoop::create(clock).value();
    std::unique_ptr<GuestMemory> memory = make_memory();
};

}  // namespace carrel::virtio::test
