#include "devices/virtio/queue/queue_state.h"

#include <bit>

#include "devices/virtio/queue/rings.h"

namespace carrel::virtio {
namespace {

constexpr std::string_view kTag = "VQUE";
constexpr uint16_t kVersion = 1;

bool get_bool(ByteReader& part) {
    const auto value = part.get<uint8_t>();
    if (value > 1) part.fail();
    return value == 1;
}

// Whether the indices are those of a queue that has every chain given back.
bool possible_indices(const QueueState& s, bool packed) {
    if (!s.broken && (s.next_avail != s.next_used || s.avail_wrap != s.used_wrap)) return false;
    if (packed) return s.next_avail < s.size && s.next_used < s.size;
    return s.avail_wrap && s.used_wrap;  // split rings have no wrap counters
}

// A queue that isn't enabled has never run.
bool never_ran(const QueueState& s) {
    QueueState fresh;
    fresh.size = s.size;
    fresh.descriptor_area = s.descriptor_area;
    fresh.driver_area = s.driver_area;
    fresh.device_area = s.device_area;
    return s == fresh;
}

}  // namespace

bool QueueState::valid_size(uint32_t size, bool packed) {
    return size >= 1 && size <= kMaxQueueSize && (packed || std::has_single_bit(size));
}

void QueueState::save(ByteWriter& writer) const {
    const size_t start = writer.begin_part(kTag, kVersion);
    writer.put(size);
    for (const Gpa area : {descriptor_area, driver_area, device_area}) writer.put(raw(area));
    for (const uint16_t index : {next_avail, next_used}) writer.put(index);
    for (const bool flag : {ready, avail_wrap, used_wrap, notifications, interrupt_due, broken})
        writer.put(static_cast<uint8_t>(flag));
    writer.end_part(start);
}

std::optional<QueueState> QueueState::restore(ByteReader& reader, const QueueFeatures& features,
                                              uint16_t max_size) {
    ByteReader part = reader.part(kTag, kVersion);
    QueueState s;
    s.size = part.get<uint16_t>();
    for (Gpa* area : {&s.descriptor_area, &s.driver_area, &s.device_area}) *area = Gpa{part.get<uint64_t>()};
    for (uint16_t* index : {&s.next_avail, &s.next_used}) *index = part.get<uint16_t>();
    for (bool* flag : {&s.ready, &s.avail_wrap, &s.used_wrap, &s.notifications, &s.interrupt_due, &s.broken})
        *flag = get_bool(part);
    const bool possible =
        s.ready ? valid_size(s.size, features.packed) && possible_indices(s, features.packed) : never_ran(s);
    if (!part.ok() || !part.at_end() || s.size > max_size || !possible) return std::nullopt;
    return s;
}

}  // namespace carrel::virtio
