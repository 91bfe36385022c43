// What a device is wired to in the tests, and short words for its accesses.
#pragma once

#include <array>
#include <cstdint>
#include <cstring>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "vmm/base/byte_sink.h"
#include "vmm/bus/device.h"
#include "vmm/bus/irq_line.h"
#include "vmm/bus/power_listener.h"
#include "vmm/bus/transmit_coalescing.h"

namespace carrel::test {

// An interrupt input: its level, and how often it rose.
class FakeIrq final : public IrqLine {
  public:
    void set(bool value) override {
        if (value && !level) ++edges;
        level = value;
    }
    bool level = false;
    int edges = 0;
};

class FakeSink final : public ByteSink {
  public:
    void write(std::span<const std::byte> bytes) override {
        ++calls;
        for (const std::byte byte : bytes) text.push_back(static_cast<char>(byte));
    }
    std::string text;
    int calls = 0;
};

class FakePower final : public PowerListener {
  public:
    void on_power_off() override { ++power_offs; }
    void on_reset() override { ++resets; }
    int power_offs = 0;
    int resets = 0;
};

class FakeCoalescing final : public TransmitCoalescing {
  public:
    void enable(bool value) override {
        on = value;
        ++changes;
    }
    void note_exit() override { ++exits; }
    bool on = false;
    int changes = 0;
    int exits = 0;
};

class FakeListener final : public RoomListener {
  public:
    void on_room() override {
        ++calls;
        if (then) then();
    }
    int calls = 0;
    std::function<void()> then;
};

template <class T>
T in(Device& device, uint64_t offset) {
    std::array<std::byte, sizeof(T)> bytes{};
    device.read(offset, bytes);
    T value{};
    std::memcpy(&value, bytes.data(), sizeof value);
    return value;
}
inline unsigned in8(Device& device, uint64_t offset) {
    return in<uint8_t>(device, offset);
}
inline unsigned in16(Device& device, uint64_t offset) {
    return in<uint16_t>(device, offset);
}
inline unsigned in32(Device& device, uint64_t offset) {
    return in<uint32_t>(device, offset);
}

template <class T>
void out(Device& device, uint64_t offset, T value) {
    std::array<std::byte, sizeof(T)> bytes{};
    std::memcpy(bytes.data(), &value, sizeof value);
    device.write(offset, bytes);
}
inline void out8(Device& device, uint64_t offset, unsigned value) {
    out(device, offset, static_cast<uint8_t>(value));
}
inline void out16(Device& device, uint64_t offset, unsigned value) {
    out(device, offset, static_cast<uint16_t>(value));
}
inline void out32(Device& device, uint64_t offset, unsigned value) {
    out(device, offset, static_cast<uint32_t>(value));
}

inline std::span<const std::byte> bytes_of(std::string_view text) {
    return std::as_bytes(std::span(text.data(), text.size()));
}

inline std::vector<std::byte> saved(const Device& device) {
    ByteWriter writer;
    device.save(writer);
    return std::move(writer).take();
}
inline bool restores(Device& device, std::span<const std::byte> bytes) {
    ByteReader reader(bytes);
    return device.restore(reader).ok();
}

// Each way to damage saved bytes that every device must refuse: cut short anywhere, too long, another tag,
// version 0 and one from the future. Calls `refused` with each.
inline void for_each_damage(const std::vector<std::byte>& good,
                            const std::function<void(std::span<const std::byte>)>& refused) {
    constexpr size_t kVersionAt = 4;
    constexpr size_t kLengthAt = 6;
    for (size_t length = 0; length < good.size(); ++length) refused(std::span(good).first(length));
    auto longer = good;
    longer.push_back(std::byte{0});
    longer[kLengthAt] = static_cast<std::byte>(std::to_integer<unsigned>(longer[kLengthAt]) + 1);
    refused(longer);
    auto tag = good;
    tag[0] ^= std::byte{0x20};
    refused(tag);
    auto version = good;
    version[kVersionAt] = std::byte{0};
    refused(version);
    version[kVersionAt] = std::byte{0xff};
    refused(version);
}

}  // namespace carrel::test
