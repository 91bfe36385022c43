// A hostile driver: the fuzzer's bytes are commands that scribble into guest memory and let a device serve
// what it finds there. Included by the two targets, which choose the ring.
//
// Whatever happens: no chain reaches out of RAM or is longer than the queue, no more are in flight than the
// queue has places, nothing but the ring's own areas is written, and each chain can be ended.
//
// Input: a byte of features (bits 0, 1), a byte of size, then commands (Harness::step).
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <vector>

#include "devices/virtio/queue/chain_io.h"
#include "devices/virtio/queue/rings.h"
#include "devices/virtio/queue/virt_queue.h"
#include "vmm/memory/guest_memory.h"

namespace carrel::virtio::fuzz {

inline void require(bool condition) {
    if (!condition) std::abort();
}

// Little RAM, so that random addresses meet each other, and comparing all of it is cheap: a page, a hole, a
// page.
inline constexpr uint64_t kLow = kPageSize;
inline constexpr uint64_t kHigh = 4 * kPageSize;
inline constexpr uint64_t kHighSize = kPageSize;
inline constexpr uint64_t kRing = 0;
inline constexpr uint64_t kDriverArea = 0x200;
inline constexpr uint64_t kDeviceArea = 0x280;
inline constexpr uint16_t kMaxSize = 32;

class Script {
  public:
    explicit Script(std::span<const std::byte> bytes) : rest_(bytes) {}
    bool done() const { return rest_.empty(); }
    uint8_t byte() { return static_cast<uint8_t>(number(1)); }
    uint16_t word() { return static_cast<uint16_t>(number(2)); }
    // Little-endian; zeros behind the end.
    uint64_t number(size_t size) {
        uint64_t value = 0;
        const auto taken = bytes(size);
        std::memcpy(&value, taken.data(), taken.size());
        return value;
    }
    std::span<const std::byte> bytes(size_t size) {
        const auto taken = rest_.first(std::min(size, rest_.size()));
        rest_ = rest_.subspan(taken.size());
        return taken;
    }
    // In low RAM, in high RAM, about the ends of both, or at the end of all addresses.
    uint64_t address() {
        const uint16_t value = word();
        switch (value >> 14) {
            case 0: return value & 0xfff;
            case 1: return kHigh + (value & 0xfff);
            case 2: return ((value & 0x2000) != 0 ? kLow : kHigh + kHighSize) - 32 + (value & 63);
            default: return ~uint64_t{0} - (value & 0xff);
        }
    }
    // Short, or nearly 4 GiB.
    uint32_t length() {
        const uint16_t value = word();
        return (value & 0x8000) != 0 ? 0xffff'0000u | value : value;
    }

  private:
    std::span<const std::byte> rest_;
};

class Harness {
  public:
    Harness(bool packed, Script& script) : memory_(clean_memory()), script_(script) {
        const uint8_t features = script.byte();
        features_ = {packed, (features & 1) != 0, (features & 2) != 0};
        const unsigned size = script.byte() % kMaxSize + 1u;
        state_.size = static_cast<uint16_t>(packed ? size : 1u << size % 6);
        state_.ready = true;
        state_.descriptor_area = Gpa{kRing};
        state_.driver_area = Gpa{kDriverArea};
        state_.device_area = Gpa{kDeviceArea};
        open(state_);
        require(queue_ != nullptr);
    }
    ~Harness() { close(); }
    Harness(const Harness&) = delete;
    Harness& operator=(const Harness&) = delete;

    void run() {
        while (!script_.done()) step();
    }

  private:
    static GuestMemory& clean_memory() {
        static const RamMap map{{RamRange{Gpa{0}, kLow}, RamRange{Gpa{kHigh}, kHighSize}}};
        static const auto memory = GuestMemory::create(map, MemoryBacking::kAnonymous).value();
        for (const auto& region : memory->regions()) std::memset(region.host, 0, region.size);
        return *memory;
    }

    void step() {
        const uint8_t command = script_.byte();
        const unsigned value = command >> 4;
        switch (command & 15) {
            case 0: poke(size_t{1} << value % 4); break;
            case 1: put_descriptor(kRing); break;
            case 2: put_descriptor(script_.address()); break;
            case 3: offer(); break;
            case 4:
            case 5: guarded([&] { pop(); }); break;
            case 6: guarded([&] { complete(value); }); break;
            case 7: guarded([&] { queue_->publish(); }); break;
            case 8: (void)queue_->should_interrupt(); break;
            case 9: guarded([&] { (void)queue_->enable_notifications(); }); break;
            case 10: guarded([&] { queue_->disable_notifications(); }); break;
            case 11: use(value); break;
            case 12: save_and_restore(); break;
            case 13: restore_anything(); break;
            case 14: reset(); break;
            default: open_anywhere();
        }
        require(queue_->in_flight() == chains_.size() && chains_.size() <= state_.size);
    }

    // The driver.
    void poke(size_t width) {
        const uint64_t address = script_.address();
        (void)memory_.write_bytes(Gpa{address}, script_.bytes(width));
    }
    void put_descriptor(uint64_t table) {
        const unsigned index = script_.byte() % (kMaxSize + 1u);
        const uint64_t at = table + index * kDescriptorSize;
        const uint64_t address = script_.address();
        const uint32_t length = script_.length();
        const uint16_t flags = script_.byte() & (kNext | kWrite | kIndirect);
        const uint16_t last = script_.byte();
        // As if it kept the rules for the lap that we are in.
        const bool wrap = (last & 0x80) == 0;
        const auto owner = static_cast<uint16_t>(flags | (wrap ? kAvailable : kUsed));
        if (features_.packed)
            (void)memory_.write(Gpa{at}, PackedDescriptor{address, length, last, owner});
        else
            (void)memory_.write(Gpa{at}, SplitDescriptor{address, length, flags, last});
    }
    // One more available entry (split), or a descriptor that is turned to available (packed).
    void offer() {
        const uint16_t value = script_.byte();
        if (features_.packed) {
            const uint64_t flags = kRing + value % state_.size * kDescriptorSize + 14;
            const auto old = memory_.read<uint16_t>(Gpa{flags}).value_or(0);
            (void)memory_.write(Gpa{flags}, static_cast<uint16_t>(old ^ (kAvailable | kUsed)));
            return;
        }
        const Gpa index{kDriverArea + kRingIndex};
        const auto old = memory_.read<uint16_t>(index).value_or(0);
        const uint64_t entry = kDriverArea + kRingEntries + uint64_t{2} * (old % state_.size);
        (void)memory_.write(Gpa{entry}, value);
        (void)memory_.write(index, static_cast<uint16_t>(old + 1));
    }

    // The device.
    void pop() {
        auto next = queue_->pop();
        if (auto* const error = std::get_if<QueueError>(&next)) require(error->reason != nullptr);
        if (auto* const malformed = std::get_if<Malformed>(&next)) require(malformed->reason != nullptr);
        if (std::holds_alternative<Busy>(next)) require(!chains_.empty());
        auto* const chain = std::get_if<DescriptorChain>(&next);
        if (chain == nullptr) return;
        chains_.push_back(std::move(*chain));
        check(chains_.back());
    }
    void check(const DescriptorChain& chain) {
        const auto readable = chain.readable();
        const auto writable = chain.writable();
        uint64_t bytes = 0;
        for (size_t i = 0; i < readable.size(); ++i) bytes += check_piece(readable[i]);
        require(bytes == chain.readable_bytes());
        bytes = 0;
        for (size_t i = 0; i < writable.size(); ++i) bytes += check_piece(writable[i]);
        require(bytes == chain.writable_bytes());
        require(readable.size() + writable.size() <= state_.size);
        require(features_.packed || chain.head() < state_.size);
    }
    size_t check_piece(std::span<const std::byte> piece) {
        require(!piece.empty());
        for (const auto& region : memory_.regions()) {
            const std::byte* const end = region.host + region.size;
            if (piece.data() >= region.host && piece.data() < end)
                require(piece.size() <= static_cast<size_t>(end - piece.data()));
        }
        return piece.size();
    }
    void complete(unsigned which) {
        if (chains_.empty()) return;
        std::swap(chains_[which % chains_.size()], chains_.back());
        DescriptorChain chain = std::move(chains_.back());
        chains_.pop_back();
        chain.complete(std::min<uint32_t>(script_.length(), chain.writable_bytes()));
    }
    void use(unsigned which) {
        if (chains_.empty()) return;
        const DescriptorChain& chain = chains_[which % chains_.size()];
        ChainReader reader(chain);
        ChainWriter writer(chain);
        std::array<std::byte, 48> buffer{};
        (void)reader.get<uint64_t>();
        std::array<iovec, 4> pieces{};
        (void)reader.gather(script_.byte(), pieces);
        (void)writer.gather(script_.byte(), pieces);
        while (const size_t got = reader.read(buffer)) writer.write(std::span(buffer).first(got));
        (void)writer.put(uint16_t{0xbeef});
    }

    // Runs `act`, which may write only where the ring is.
    template <class Act>
    void guarded(const Act& act) {
        const auto& regions = memory_.regions();
        for (size_t i = 0; i < 2; ++i) std::memcpy(before_[i].data(), regions[i].host, regions[i].size);
        act();
        for (size_t i = 0; i < 2; ++i) restore_ring(regions[i], before_[i]);
        for (size_t i = 0; i < 2; ++i)
            require(std::memcmp(before_[i].data(), regions[i].host, regions[i].size) == 0);
    }
    // The ring's own areas into the old picture, where they may differ.
    void restore_ring(const GuestMemory::Region& region, std::span<std::byte> picture) {
        const uint64_t size = state_.size;
        const auto keep = [&](Gpa area, uint64_t length) {
            if (area < region.base || area - region.base >= region.size) return;
            const uint64_t offset = area - region.base;
            std::memcpy(picture.data() + offset, region.host + offset, length);
        };
        if (features_.packed) keep(state_.descriptor_area, size * kDescriptorSize);
        keep(state_.device_area, features_.packed ? sizeof(EventSuppression) : 6 + 8 * size);
    }

    // Lives of a queue.
    void open(const QueueState& state) {
        auto opened = VirtQueue::open(memory_, state, features_);
        auto* const queue = std::get_if<std::unique_ptr<VirtQueue>>(&opened);
        if (queue == nullptr) return;
        queue_ = std::move(*queue);
        state_ = state;
    }
    void close() {
        for (DescriptorChain& chain : chains_) chain.abandon();
        chains_.clear();
        queue_.reset();
    }
    void reopen(const QueueState& state, const QueueState& otherwise) {
        close();
        open(state);
        if (queue_ == nullptr) open(otherwise);
        require(queue_ != nullptr);
    }
    QueueState fresh() const {
        QueueState state;
        state.size = state_.size;
        state.ready = true;
        state.descriptor_area = state_.descriptor_area;
        state.driver_area = state_.driver_area;
        state.device_area = state_.device_area;
        return state;
    }
    void reset() { reopen(fresh(), fresh()); }
    void save_and_restore() {
        while (!chains_.empty()) complete(0);
        queue_->publish();
        ByteWriter writer;
        queue_->state().save(writer);
        ByteReader reader(writer.bytes());
        const auto state = QueueState::restore(reader, features_, kMaxSize);
        require(state.has_value() && *state == queue_->state());
        reopen(*state, fresh());
    }
    void restore_anything() {
        ByteReader reader(script_.bytes(script_.byte()));
        const auto state = QueueState::restore(reader, features_, kMaxSize);
        if (state && state->ready) reopen(*state, fresh());
    }
    void open_anywhere() {
        QueueState state = fresh();
        state.descriptor_area = Gpa{script_.address()};
        state.driver_area = Gpa{script_.address()};
        state.device_area = Gpa{script_.address()};
        reopen(state, fresh());
    }

    GuestMemory& memory_;
    Script& script_;
    QueueFeatures features_;
    QueueState state_;  // what the queue was opened with
    std::unique_ptr<VirtQueue> queue_;
    std::vector<DescriptorChain> chains_;
    std::array<std::array<std::byte, kLow>, 2> before_{};
};

inline int fuzz_queue(bool packed, const uint8_t* data, size_t size) {
    // Longer ones find nothing more and take longer.
    Script script(std::as_bytes(std::span(data, std::min<size_t>(size, 512))));
    Harness(packed, script).run();
    return 0;
}

}  // namespace carrel::virtio::fuzz
