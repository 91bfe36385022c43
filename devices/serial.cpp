#include "devices/serial.h"

#include <algorithm>
#include <array>

namespace carrel {

using namespace uart;

namespace {
constexpr std::array<uint8_t, 4> kTriggerLevels = {1, 4, 8, 14};  // 8.4

void tell(RoomListener* listener) {
    if (listener != nullptr) listener->on_room();
}
}  // namespace

Serial::Serial(IrqLine& irq, ByteSink& sink, TransmitCoalescing* coalescing)
    : irq_(irq), sink_(sink), coalescing_(coalescing) {}

void Serial::set_room_listener(RoomListener* listener) {
    MutexLock lock(mutex_);
    room_listener_ = listener;
}

// ---- accesses ----

// A wide access on an 8-bit bus is a row of narrow ones.
void Serial::read(uint64_t offset, std::span<std::byte> data) {
    RoomListener* listener = nullptr;
    {
        MutexLock lock(mutex_);
        for (std::byte& byte : data) byte = std::byte{read_register(offset++)};
        listener = settle();
    }
    tell(listener);
}

void Serial::write(uint64_t offset, std::span<const std::byte> data) {
    RoomListener* listener = nullptr;
    {
        MutexLock lock(mutex_);
        for (const std::byte byte : data) write_register(offset++, std::to_integer<uint8_t>(byte));
        listener = settle();
    }
    tell(listener);
}

void Serial::transmit(std::span<const std::byte> bytes) {
    RoomListener* listener = nullptr;
    {
        MutexLock lock(mutex_);
        if (only_to_sink()) {
            state_.idle_polls = 0;
            send(bytes);
        } else {
            for (const std::byte byte : bytes) write_register(kData, std::to_integer<uint8_t>(byte));
        }
        listener = settle();
    }
    tell(listener);
}

uint8_t Serial::read_register(uint64_t offset) {
    if (offset != kLineStatus && offset != kData) state_.idle_polls = 0;
    switch (offset) {
        case kData: return divisor_open() ? state_.divisor_low : read_data();
        case kInterruptEnable: return divisor_open() ? state_.divisor_high : state_.interrupt_enable;
        case kInterruptId: return read_interrupt_id();
        case kLineControl: return state_.line_control;
        case kModemControl: return state_.modem_control;
        case kLineStatus: return read_line_status();
        case kModemStatus: return read_modem_status();
        case kScratch: return state_.scratch;
        default: return 0xff;
    }
}

void Serial::write_register(uint64_t offset, uint8_t value) {
    state_.idle_polls = 0;
    switch (offset) {
        case kData: divisor_open() ? void(state_.divisor_low = value) : write_transmit(value); break;
        case kInterruptEnable:
            divisor_open() ? void(state_.divisor_high = value) : write_interrupt_enable(value);
            break;
        case kInterruptId: write_fifo_control(value); break;
        case kLineControl: state_.line_control = value; break;
        case kModemControl: write_modem_control(value); break;
        case kScratch: state_.scratch = value; break;
        default: break;  // LSR and MSR: 8.5 and 8.9
    }
}

uint8_t Serial::read_data() {
    if (state_.received.empty()) return 0;
    const uint8_t byte = state_.received.pop().byte;
    show_front_errors();
    return byte;
}

uint8_t Serial::read_interrupt_id() {
    const uint8_t id = interrupt_id();
    if (id == kIirTransmit) state_.transmit_pending = false;  // 8.6, table III
    return static_cast<uint8_t>(id | (fifos_on() ? kIirFifosOn : 0));
}

uint8_t Serial::read_line_status() {
    uint8_t value = kLsrTransmitEmpty | kLsrTransmitterEmpty;
    if (!state_.received.empty()) value |= kLsrDataReady;
    if (fifos_on() && ((state_.errors & kLsrBreak) != 0 || state_.received.any_errors()))
        value |= kLsrFifoError;
    value |= state_.errors;
    state_.errors = 0;
    if (state_.idle_polls < kPollsToListen) ++state_.idle_polls;
    return value;
}

uint8_t Serial::read_modem_status() {
    const auto value = static_cast<uint8_t>(modem_inputs() | state_.modem_deltas);
    state_.modem_deltas = 0;
    return value;
}

// THR is full for no time at all. The interrupt is gone with the write and back when THR is empty again; the
// line must fall in between, since an edge-triggered input would miss the second one.
void Serial::write_transmit(uint8_t value) {
    state_.transmit_pending = false;
    update_interrupt();
    if (loopback()) {
        loop_back(value);
    } else {
        const std::byte byte{value};
        send({&byte, 1});
    }
    state_.transmit_pending = true;
    update_interrupt();
}

// Enabling ETBEI while THR is empty interrupts at once; so drivers start their transmission (AN-491, 2.0).
void Serial::write_interrupt_enable(uint8_t value) {
    const bool rises = (value & kIerTransmit) != 0 && (state_.interrupt_enable & kIerTransmit) == 0;
    state_.interrupt_enable = value & kIerMask;
    if (rises) state_.transmit_pending = true;
}

void Serial::write_fifo_control(uint8_t value) {
    const bool changes = ((value ^ state_.fifo_control) & kFcrEnable) != 0;
    const bool on = (value & kFcrEnable) != 0;
    if (changes && !loopback()) put_back_on_line();
    if (changes || (on && (value & kFcrClearReceive) != 0)) state_.received.clear();
    state_.fifo_control = on ? value & kFcrKept : 0;
}

void Serial::write_modem_control(uint8_t value) {
    const uint8_t before = modem_inputs();
    state_.modem_control = value & kMcrMask;
    const auto now = modem_inputs();
    const auto changed = static_cast<uint8_t>(before ^ now);
    if ((changed & kMsrCts) != 0) state_.modem_deltas |= kMsrDeltaCts;
    if ((changed & kMsrDsr) != 0) state_.modem_deltas |= kMsrDeltaDsr;
    if ((changed & before & kMsrRing) != 0) state_.modem_deltas |= kMsrTrailingRing;
    if ((changed & kMsrDcd) != 0) state_.modem_deltas |= kMsrDeltaDcd;
}

// ---- what the state means ----

bool Serial::divisor_open() const {
    return (state_.line_control & kLcrDlab) != 0;
}
bool Serial::loopback() const {
    return (state_.modem_control & kMcrLoop) != 0;
}
bool Serial::fifos_on() const {
    return (state_.fifo_control & kFcrEnable) != 0;
}

bool Serial::only_to_sink() const {
    return (state_.interrupt_enable & kIerTransmit) == 0 && !divisor_open() && !loopback();
}

bool Serial::listening() const {
    const bool by_interrupt =
        (state_.interrupt_enable & kIerReceived) != 0 && (state_.modem_control & kMcrOut2) != 0;
    return by_interrupt || state_.idle_polls >= kPollsToListen;
}

size_t Serial::depth() const {
    return fifos_on() ? state_.received.capacity() : 1;
}

size_t Serial::trigger_level() const {
    return fifos_on() ? kTriggerLevels[state_.fifo_control >> kFcrTriggerShift] : 1;
}

uint8_t Serial::interrupt_id() const {
    const uint8_t enabled = state_.interrupt_enable;
    if ((enabled & kIerLineStatus) != 0 && state_.errors != 0) return kIirLineStatus;
    if ((enabled & kIerReceived) != 0 && !state_.received.empty())
        return state_.received.size() >= trigger_level() ? kIirReceived : kIirTimeout;
    if ((enabled & kIerTransmit) != 0 && state_.transmit_pending) return kIirTransmit;
    if ((enabled & kIerModemStatus) != 0 && state_.modem_deltas != 0) return kIirModemStatus;
    return kIirNone;
}

// 8.8: in loopback the four outputs are the four inputs. Otherwise the other end is there and ready.
uint8_t Serial::modem_inputs() const {
    if (!loopback()) return kMsrCts | kMsrDsr | kMsrDcd;
    const uint8_t out = state_.modem_control;
    uint8_t in = 0;
    if ((out & kMcrRts) != 0) in |= kMsrCts;
    if ((out & kMcrDtr) != 0) in |= kMsrDsr;
    if ((out & kMcrOut1) != 0) in |= kMsrRing;
    if ((out & kMcrOut2) != 0) in |= kMsrDcd;
    return in;
}

// ---- data on its way ----

void Serial::send(std::span<const std::byte> bytes) {
    if (bytes.empty()) return;
    sink_.write(bytes);
    polled_bytes_ = std::min(polled_bytes_ + bytes.size(), kBytesToCoalesce);  // settle() forgets others
}

// 8.5, bit 1: with FIFOs the new character is lost, without them the old one is.
void Serial::loop_back(uint8_t byte) {
    if (state_.received.size() >= depth()) {
        state_.errors |= kLsrOverrun;
        if (fifos_on()) return;
        state_.received.clear();
    }
    arrive({byte, 0});
}

void Serial::arrive(SerialChar c) {
    state_.received.push(c);
    show_front_errors();
}

// An error shows in LSR when its character is the next to be read (8.5, bits 2-4).
void Serial::show_front_errors() {
    if (state_.received.empty()) return;
    SerialChar& front = state_.received.front();
    state_.errors |= front.errors;
    front.errors = 0;
}

void Serial::advance_line() {
    if (loopback() || !listening()) return;
    while (!state_.line.empty() && state_.received.size() < depth()) arrive(state_.line.pop());
}

// The error of the front one has shown in LSR already, and stays there.
void Serial::put_back_on_line() {
    while (!state_.received.empty() && state_.line.free() != 0) {
        state_.line.push_front(state_.received.pop_back());
    }
}

size_t Serial::line_room() const {
    return kLineRoom - std::min(kLineRoom, state_.line.size());
}

size_t Serial::room() {
    MutexLock lock(mutex_);
    const size_t room = line_room();
    if (room == 0) feeder_waits_ = true;
    return room;
}

void Serial::receive(std::span<const std::byte> bytes) {
    RoomListener* listener = nullptr;
    {
        MutexLock lock(mutex_);
        const auto fitting = bytes.first(std::min(bytes.size(), line_room()));
        for (const std::byte byte : fitting) state_.line.push({std::to_integer<uint8_t>(byte), 0});
        listener = settle();
    }
    tell(listener);
}

void Serial::receive_break() {
    RoomListener* listener = nullptr;
    {
        MutexLock lock(mutex_);
        if (line_room() != 0) state_.line.push({0, kLsrBreak});  // 8.5, bit 4: one zero character
        listener = settle();
    }
    tell(listener);
}

// ---- outputs ----

// On a PC, OUT2 is the gate of INTR; in loopback the output pins are inactive (8.8), so the gate is shut.
void Serial::update_interrupt() {
    const bool gate = (state_.modem_control & kMcrOut2) != 0 && !loopback();
    irq_.set(gate && interrupt_id() != kIirNone);
}

void Serial::update_coalescing() {
    if (!only_to_sink()) polled_bytes_ = 0;
    const bool wanted = polled_bytes_ >= kBytesToCoalesce;
    if (coalescing_ == nullptr || wanted == coalescing_on_) return;
    coalescing_on_ = wanted;
    coalescing_->enable(wanted);
}

// Room is told when half of the line is free, so that a feeder doesn't wake for each character.
RoomListener* Serial::settle() {
    advance_line();
    update_interrupt();
    update_coalescing();
    if (!feeder_waits_ || state_.line.size() > kLineRoom / 2) return nullptr;
    feeder_waits_ = false;
    return room_listener_;
}

}  // namespace carrel
