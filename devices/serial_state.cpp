// Serial's reset, save and restore.
#include "devices/saved_state.h"
#include "devices/serial.h"

namespace carrel {
namespace {

using namespace uart;

constexpr std::string_view kTag = "UART";
constexpr uint16_t kVersion = 1;

template <size_t N>
void put_queue(ByteWriter& writer, const CharQueue<N>& queue) {
    writer.put(static_cast<uint16_t>(queue.size()));
    for (size_t i = 0; i < queue.size(); ++i) {
        writer.put(queue.at(i).byte);
        writer.put(queue.at(i).errors);
    }
}

// At most `limit` characters, else the reader fails.
template <size_t N>
void get_queue(ByteReader& part, CharQueue<N>& queue, size_t limit) {
    const size_t count = part.get<uint16_t>();
    if (count > limit) return part.fail();
    for (size_t i = 0; i < count; ++i) {
        const auto byte = part.get<uint8_t>();
        const auto errors = part.get<uint8_t>();
        if ((errors & ~kLsrBreak) != 0) return part.fail();
        queue.push({byte, errors});
    }
}

void put(ByteWriter& writer, const SerialState& s) {
    for (const uint8_t byte :
         {s.interrupt_enable, s.fifo_control, s.line_control, s.modem_control, s.scratch, s.divisor_low,
          s.divisor_high, s.errors, s.modem_deltas, s.idle_polls, static_cast<uint8_t>(s.transmit_pending)})
        writer.put(byte);
    put_queue(writer, s.received);
    put_queue(writer, s.line);
}

SerialState get(ByteReader& part) {
    SerialState s;
    for (uint8_t* byte : {&s.interrupt_enable, &s.fifo_control, &s.line_control, &s.modem_control, &s.scratch,
                          &s.divisor_low, &s.divisor_high, &s.errors, &s.modem_deltas, &s.idle_polls})
        *byte = part.get<uint8_t>();
    const auto pending = part.get<uint8_t>();
    if (pending > 1) part.fail();
    s.transmit_pending = pending == 1;
    get_queue(part, s.received, (s.fifo_control & kFcrEnable) != 0 ? s.received.capacity() : 1);
    get_queue(part, s.line, s.line.capacity());
    return s;
}

// Whether a 16550A can be in this state: no bit that its registers don't have.
bool possible(const SerialState& s) {
    const bool fifo_control =
        (s.fifo_control & ~kFcrKept) == 0 && ((s.fifo_control & kFcrEnable) != 0 || s.fifo_control == 0);
    return fifo_control && (s.interrupt_enable & ~kIerMask) == 0 && (s.modem_control & ~kMcrMask) == 0 &&
           (s.errors & ~kLsrErrors) == 0 && (s.modem_deltas & ~kMsrDeltas) == 0 &&
           s.idle_polls <= Serial::kPollsToListen;
}

}  // namespace

void Serial::reset() {
    RoomListener* listener = nullptr;
    {
        MutexLock lock(mutex_);
        state_ = SerialState{};
        polled_bytes_ = 0;
        listener = settle();
    }
    if (listener != nullptr) listener->on_room();
}

void Serial::save(ByteWriter& writer) const {
    MutexLock lock(mutex_);
    const size_t start = writer.begin_part(kTag, kVersion);
    put(writer, state_);
    writer.end_part(start);
}

Result<void> Serial::restore(ByteReader& reader) {
    ByteReader part = reader.part(kTag, kVersion);
    const SerialState state = get(part);
    const bool good = complete(part) && possible(state);
    if (!good) {
        reset();
        return damaged_state(name());
    }
    RoomListener* listener = nullptr;
    {
        MutexLock lock(mutex_);
        state_ = state;
        polled_bytes_ = 0;
        listener = settle();
    }
    if (listener != nullptr) listener->on_room();
    return {};
}

}  // namespace carrel
