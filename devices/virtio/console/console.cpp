#include "devices/virtio/console/console.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "devices/saved_state.h"

namespace carrel::virtio {
namespace {
constexpr std::string_view kTag = "VCON";
constexpr uint16_t kVersion = 1;
}  // namespace

Console::Console(ByteSink& sink, RoomListener& room, const Clock& clock, std::function<void()> before_sending)
    : sink_(sink), room_(room), clock_(clock), before_sending_(std::move(before_sending)) {
    MutexLock lock(mutex_);
    state_.line.reserve(kLineRoom);
}

void Console::read_config(uint64_t offset, std::span<std::byte> data) {
    ConsoleConfig config{};
    {
        MutexLock lock(mutex_);
        config.columns = state_.size.columns;
        config.rows = state_.size.rows;
    }
    const auto bytes = std::as_bytes(std::span(&config, 1));
    if (offset >= bytes.size()) return;
    std::memcpy(data.data(), bytes.data() + offset, std::min<size_t>(data.size(), bytes.size() - offset));
}

// 5.3.4: one character, its low byte, at any time, whether or not anything has been negotiated.
void Console::write_config(uint64_t offset, std::span<const std::byte> data) {
    if (offset > kConsoleEmergencyOffset || kConsoleEmergencyOffset - offset >= data.size()) return;
    sink_.write(data.subspan(kConsoleEmergencyOffset - offset, 1));
}

void Console::notify(uint16_t queue) {
    if (queue == kConsoleTransmit) before_sending_();
    QueuedDevice::notify(queue);
    if (queue == kConsoleReceive && room_is_news()) room_.on_room();
}

// A receive buffer waits in its queue for input, and nothing new is sent before what has been begun.
bool Console::wants(uint16_t queue) {
    return queue == kConsoleReceive ? !state_.line.empty() : !sending_ && left_ != 0;
}

void Console::serve(uint16_t queue, DescriptorChain chain) {
    if (queue == kConsoleReceive) return fill(std::move(chain));
    const ChainReader bytes(chain);
    sending_.emplace(Sending{std::move(chain), bytes});
    send_some();
}

void Console::fill(DescriptorChain chain) {
    const size_t written = ChainWriter(chain).write(state_.line);
    state_.line.erase(state_.line.begin(), state_.line.begin() + static_cast<ptrdiff_t>(written));
    chain.complete(static_cast<uint32_t>(written));
}

// By a copy: what is looked at on its way must be what arrives.
void Console::send_some() {
    std::array<std::byte, 4096> bytes;
    while (left_ != 0 && sending_->rest.remaining() != 0) {
        const auto piece = std::span(bytes).first(std::min<size_t>(bytes.size(), left_));
        const size_t count = sending_->rest.read(piece);
        sink_.write(piece.first(count));
        left_ -= static_cast<uint32_t>(count);
    }
    if (sending_->rest.remaining() != 0) return;
    sending_->chain.complete(0);
    sending_.reset();
}

void Console::end_turn(uint16_t queue) {
    if (queue != kConsoleTransmit) return;
    const bool over = left_ == 0;
    left_ = kMostSent;
    if (!over) return;
    if (sending_) send_some();
    events().again(kConsoleTransmit);
}

bool Console::drain(bool abandon, Nanoseconds limit) {
    if (abandon) {
        state_.line.clear();
        state_.size = window_;
        state_.size_told = false;
        if (sending_) sending_->chain.abandon();
        sending_.reset();
        return true;
    }
    const Nanoseconds deadline = clock_.now() + limit;
    for (; sending_; left_ = kMostSent) {
        if (clock_.now() > deadline) return false;
        send_some();
    }
    publish(kConsoleTransmit);
    return true;
}

// One that was saved may have had another terminal.
void Console::started() {
    follow_window();
}

void Console::resize(WindowSize size) {
    MutexLock lock(mutex_);
    window_ = size;
    follow_window();
}

// Linux reads the size when it is told that it has changed, and not before.
void Console::follow_window() {
    if (window_.columns != 0 && state_.size != window_) {
        state_.size = window_;
        state_.size_told = false;
    }
    const bool listens = active() && (accepted() & kConsoleSize) != 0;
    if (!listens || state_.size_told || state_.size.columns == 0) return;
    state_.size_told = true;
    events().config_changed();
}

size_t Console::room() {
    MutexLock lock(mutex_);
    const size_t room = active() ? kLineRoom - state_.line.size() : 0;
    feeder_waits_ = feeder_waits_ || room == 0;
    return room;
}

void Console::receive(std::span<const std::byte> bytes) {
    {
        MutexLock lock(mutex_);
        if (!active()) return;
        const auto fitting = bytes.first(std::min(bytes.size(), kLineRoom - state_.line.size()));
        state_.line.insert(state_.line.end(), fitting.begin(), fitting.end());
    }
    notify(kConsoleReceive);
}

// Told when half of the line is free, so that a feeder doesn't wake for each buffer.
bool Console::room_is_news() {
    MutexLock lock(mutex_);
    if (!active() || state_.line.size() > kLineRoom / 2) return false;
    return std::exchange(feeder_waits_, false);
}

void Console::save(ByteWriter& writer) const {
    MutexLock lock(mutex_);
    const size_t start = writer.begin_part(kTag, kVersion);
    writer.put(state_.size.columns);
    writer.put(state_.size.rows);
    writer.put(static_cast<uint8_t>(state_.size_told));
    writer.put_bytes(state_.line);
    writer.end_part(start);
}

Result<void> Console::restore(ByteReader& reader) {
    ByteReader part = reader.part(kTag, kVersion);
    const auto columns = part.get<uint16_t>();
    const auto rows = part.get<uint16_t>();
    const auto told = part.get<uint8_t>();
    const auto line = part.get_bytes(kLineRoom);
    if (!complete(part) || told > 1) return damaged_state(name());
    MutexLock lock(mutex_);
    state_.size = {columns, rows};
    state_.size_told = told == 1;
    state_.line.assign(line.begin(), line.end());
    return {};
}

}  // namespace carrel::virtio
