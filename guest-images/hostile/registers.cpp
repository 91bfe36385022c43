// The common configuration and the doorbells, used at the wrong time or with values that can't be.
// VIRTIO 1.3, sections 2.1, 2.2, 3.1, 4.1.4.3 and 4.1.5.2.
#include <initializer_list>

#include "hostile/attack.h"
#include "lib/clock_x86.h"

namespace guest {
namespace {

constexpr unsigned kNotifications = 4000;
constexpr std::uint64_t kQuiet = 20000;  // microseconds in which nothing must happen

const char* selected_is(const Attack& a, const QueuePlace& place) {
    const VirtioPci& device = a.device();
    const bool same = device.get<std::uint16_t>(kQueueSize) == place.size &&
                      device.get<std::uint32_t>(kQueueDescriptors) == place.descriptors &&
                      device.get<std::uint32_t>(kQueueDriverArea) == place.driver_area &&
                      device.get<std::uint32_t>(kQueueDeviceArea) == place.device_area &&
                      device.get<std::uint16_t>(kQueueEnable) == 1;
    return same ? nullptr : "a queue that is enabled has changed";
}
const char* queue_changes_while_it_runs(Attack& a) {
    QueuePlace wrong = a.ring().place();
    wrong.size = 2;
    wrong.descriptors = wrong.driver_area = wrong.device_area = a.device().bar();
    a.device().set_queue(a.queue, wrong);
    a.device().put<std::uint16_t>(kQueueEnable, 0);
    return selected_is(a, a.ring().place());
}

const char* notified_before_driver_ok(Attack& a) {
    if (const char* problem = a.driver.prepare(a.packed, kFeatureIndirect)) return problem;
    a.driver.offer_request(a.queue, attack_data());
    for (unsigned i = 0; i < 100; ++i) a.kick();
    Used used;
    if (a.ring().wait(used, kQuiet)) return "a request was served before DRIVER_OK";
    if (const char* problem = a.driver.go()) return problem;
    return a.driver.can_ask() && !a.ring().wait(used, kPatience)
               ? "what was offered before DRIVER_OK is never served"
               : nullptr;
}
const char* queues_that_do_not_exist(Attack& a) {
    const std::uint64_t first = a.device().doorbell(0);
    const unsigned queues = a.device().queues();
    for (const unsigned queue : {queues, queues + 1, 100u, 1000u, 1023u}) a.device().notify(queue);
    for (const unsigned value : {0xffffu, 0x8000u, queues})
        write_physical(first, static_cast<std::uint16_t>(value));
    write_physical<std::uint32_t>(first, 0xffffffff);
    write_physical<std::uint8_t>(first + 1, 1);
    write_physical<std::uint32_t>(first + 2, 1);
    write_physical<std::uint64_t>(first, ~0ull);
    return nullptr;
}
const char* notified_at_full_speed(Attack& a) {
    a.driver.offer_request(a.queue, attack_data());
    for (unsigned i = 0; i < kNotifications; ++i) a.kick();
    Used used;
    if (a.driver.can_ask() && !a.ring().wait(used, kPatience)) return "the request was never served";
    return nullptr;
}

const char* sizes_that_can_not_be(Attack& a) {
    if (const char* problem = a.driver.prepare(false, 0)) return problem;
    if (!a.device().reset() || !a.device().negotiate(kFeatureVersion1)) return "it doesn't negotiate";
    const std::uint16_t largest = a.device().largest(a.queue);
    for (const unsigned size : {0u, 3u, 0xffffu, 0x8000u, largest + 1u, 2u * largest}) {
        a.device().put(kQueueSize, static_cast<std::uint16_t>(size));
        if (a.device().get<std::uint16_t>(kQueueSize) != largest) return "a size that can't be was taken";
    }
    return nullptr;
}

// DRIVER_OK with a queue that can't be is the driver's error: NEEDS_RESET.
const char* areas(Attack& a, std::uint64_t descriptors, std::uint64_t driver_area,
                  std::uint64_t device_area) {
    if (const char* problem = a.driver.prepare(a.packed, 0)) return problem;
    if (!a.device().reset() || !a.device().negotiate(kFeatureVersion1 | (a.packed ? kFeaturePacked : 0)))
        return "it doesn't negotiate";
    a.device().set_queue(a.queue, {a.ring().size(), descriptors, driver_area, device_area});
    a.device().set_status(15);
    return a.device().needs_reset() ? nullptr : "a ring that can't be was taken";
}
const char* areas_in_registers(Attack& a) {
    return areas(a, a.device().bar(), a.device().bar() + 0x1000, a.device().bar() + 0x2000);
}
const char* areas_past_ram(Attack& a) {
    const QueuePlace good = a.ring().place();
    return areas(a, end_of_ram() - 16, good.driver_area, good.device_area);
}
const char* areas_wrap(Attack& a) {
    const QueuePlace good = a.ring().place();
    return areas(a, good.descriptors, 0xffff'ffff'ffff'fffc, good.device_area);
}
const char* areas_ragged(Attack& a) {
    const QueuePlace good = a.ring().place();
    return areas(a, good.descriptors + 8, good.driver_area, good.device_area);
}
const char* areas_in_one_place(Attack& a) {
    const std::uint64_t one = a.ring().place().descriptors;
    (void)areas(a, one, one, one);
    a.kick();
    return nullptr;
}

const char* features_not_offered(Attack& a) {
    if (!a.device().reset()) return "it doesn't reset";
    const std::uint64_t offered = a.device().offered();
    for (unsigned bit = 0; bit < 64; ++bit) {
        if ((offered >> bit & 1) != 0) continue;
        if (!a.device().reset()) return "it doesn't reset";
        if (a.device().negotiate(kFeatureVersion1 | 1ull << bit))
            return "a feature that wasn't offered was agreed to";
    }
    if (!a.device().reset()) return "it doesn't reset";
    return a.device().negotiate(0) ? "it works without VERSION_1" : nullptr;
}
const char* features_too_late(Attack& a) {
    a.device().accept(~0ull);
    return (a.device().status() & kVirtioFeaturesOk) != 0 ? nullptr : "FEATURES_OK has gone";
}
const char* driver_ok_without_features(Attack& a) {
    if (!a.device().reset()) return "it doesn't reset";
    a.device().set_status(kVirtioDriverOk);
    a.kick();
    return a.device().needs_reset() ? nullptr : "DRIVER_OK was taken without FEATURES_OK";
}
const char* wild_status(Attack& a) {
    for (unsigned bits = 1; bits < 256; bits += 2) a.device().set_status(bits);
    a.kick();
    return nullptr;
}
const char* wild_selects(Attack& a) {
    for (const std::uint32_t select : {2u, 0x80000000u, 0xffffffffu}) {
        a.device().put(kDeviceFeatureSelect, select);
        a.device().put(kDriverFeatureSelect, select);
        a.device().put(kDriverFeature, 0xffffffffu);
        if (a.device().get<std::uint32_t>(kDeviceFeature) != 0) return "there are features beyond bit 63";
    }
    for (const unsigned queue : {unsigned{a.device().queues()}, 0x7fffu, 0xffffu}) {
        if (a.device().largest(queue) != 0) return "a queue that doesn't exist has a size";
        a.device().set_queue(queue, a.ring().place());
        a.device().put<std::uint16_t>(kQueueVector, 0);
        if (a.device().get<std::uint16_t>(kQueueEnable) != 0) return "a queue that doesn't exist is enabled";
    }
    return nullptr;
}

constexpr Case kCases[] = {
    {"queue-changes-while-it-runs", queue_changes_while_it_runs},
    {"notified-before-DRIVER_OK", notified_before_driver_ok},
    {"queues-that-do-not-exist", queues_that_do_not_exist},
    {"notified-at-full-speed", notified_at_full_speed},
    {"sizes-that-can-not-be", sizes_that_can_not_be, Rings::kSplit, false},
    {"areas-in-registers", areas_in_registers},
    {"areas-past-RAM", areas_past_ram},
    {"areas-wrap", areas_wrap},
    {"areas-ragged", areas_ragged},
    {"areas-in-one-place", areas_in_one_place, Rings::kBoth, false},
    {"features-not-offered", features_not_offered, Rings::kSplit, false},
    {"features-too-late", features_too_late},
    {"DRIVER_OK-without-features", driver_ok_without_features},
    {"wild-status", wild_status, Rings::kBoth, false},
    {"wild-selects", wild_selects},
};

}  // namespace

Cases register_cases() {
    return kCases;
}

}  // namespace guest
