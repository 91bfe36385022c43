// ChainReader and ChainWriter: a chain's bytes in order, however the driver cut them into descriptors. No
// device may count on where one ends (VIRTIO 1.3, 2.7.4.1), so each reads its header through these.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <cstring>
#include <optional>
#include <span>
#include <type_traits>

#include "devices/virtio/queue/descriptor_chain.h"

namespace carrel::virtio {

// A place in the readable or the writable bytes of a chain.
template <class Byte>
class ChainCursor {
  public:
    uint32_t remaining() const { return remaining_; }
    // What remains as the chain's own pieces; nothing where the next byte isn't the first of one.
    std::optional<std::span<const iovec>> whole_pieces() const {
        if (offset_ != 0) return std::nullopt;
        return pieces_.iovecs().subspan(piece_);
    }
    // Moves on by `length` bytes or to the end.
    void skip(uint32_t length) {
        while (length != 0 && remaining_ != 0) length -= static_cast<uint32_t>(next(length).size());
    }
    // The next `length` bytes as they lie in memory, for a system call: fills `to`, returns how many of it,
    // and moves on. 0, and no move, where there are fewer bytes or `to` is too short.
    size_t gather(uint32_t length, std::span<iovec> to) {
        if (length > remaining_) return 0;
        const ChainCursor start = *this;
        size_t count = 0;
        while (length != 0) {
            if (count == to.size()) {
                *this = start;
                return 0;
            }
            const auto run = next(length);
            to[count++] = {const_cast<std::byte*>(run.data()), run.size()};
            length -= static_cast<uint32_t>(run.size());
        }
        return count;
    }

  protected:
    ChainCursor(Pieces<Byte> pieces, uint32_t bytes) : pieces_(pieces), remaining_(bytes) {}
    // The next bytes that lie together, at most `limit` (not 0) of them, at least one while any remain.
    std::span<Byte> next(size_t limit) {
        if (remaining_ == 0) return {};
        const auto rest = pieces_[piece_].subspan(offset_);
        const auto run = rest.first(std::min(limit, rest.size()));
        offset_ += run.size();
        remaining_ -= static_cast<uint32_t>(run.size());
        if (run.size() == rest.size()) {
            ++piece_;
            offset_ = 0;
        }
        return run;
    }

  private:
    Pieces<Byte> pieces_;
    size_t piece_ = 0;
    size_t offset_ = 0;
    uint32_t remaining_;
};

// The chain outlives both.
class ChainReader : public ChainCursor<const std::byte> {
  public:
    explicit ChainReader(const DescriptorChain& chain)
        : ChainCursor(chain.readable(), chain.readable_bytes()) {}

    // Copies what there is, at most to.size() bytes, each read once; returns how many.
    size_t read(std::span<std::byte> to) {
        size_t done = 0;
        while (done < to.size() && remaining() != 0) {
            const auto run = next(to.size() - done);
            std::memcpy(to.data() + done, run.data(), run.size());
            done += run.size();
        }
        return done;
    }
    // A whole T, or nothing where fewer bytes remain.
    template <class T>
    std::optional<T> get() {
        static_assert(std::is_trivially_copyable_v<T>);
        if (remaining() < sizeof(T)) return std::nullopt;
        T value;
        read(std::as_writable_bytes(std::span(&value, 1)));
        std::atomic_signal_fence(std::memory_order_seq_cst);  // the copy stays a copy: see ring_access.h
        return value;
    }
};

// What it writes, it tells the chain: complete() needs to be told only the length for the driver.
class ChainWriter : public ChainCursor<std::byte> {
  public:
    explicit ChainWriter(const DescriptorChain& chain)
        : ChainCursor(chain.writable(), chain.writable_bytes()), chain_(&chain) {}

    // Copies what there is room for; returns how many bytes.
    size_t write(std::span<const std::byte> from) {
        size_t done = 0;
        while (done < from.size() && remaining() != 0) {
            const auto run = next(from.size() - done);
            std::memcpy(run.data(), from.data() + done, run.size());
            chain_->wrote(run);
            done += run.size();
        }
        return done;
    }
    // A whole T; false, and nothing done, where there is too little room.
    template <class T>
    bool put(const T& value) {
        static_assert(std::is_trivially_copyable_v<T> && std::has_unique_object_representations_v<T>,
                      "padding would show our memory to the guest");
        if (remaining() < sizeof(T)) return false;
        write(std::as_bytes(std::span(&value, 1)));
        return true;
    }

  private:
    const DescriptorChain* chain_;
};

}  // namespace carrel::virtio
