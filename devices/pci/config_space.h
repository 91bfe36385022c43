// ConfigSpace: the bytes of one function's configuration space, and which of their bits a guest may write.
#pragma once

#include <cstdint>
#include <cstring>
#include <span>
#include <vector>

#include "vmm/base/bytes.h"

namespace carrel::pci {

// Values are state; initial values and write masks are the function's identity, made by its constructor. Not
// for several threads: guarded by its function's mutex.
class ConfigSpace {
  public:
    // kConventionalSize or kExtendedSize. All bytes 0 and read-only.
    explicit ConfigSpace(size_t size);

    // Defines a register: its value after a reset, and the bits that a guest may change.
    template <class T>
    void define(uint32_t offset, T initial, T writable = 0) {
        define_bytes(offset, std::as_bytes(std::span(&initial, 1)), std::as_bytes(std::span(&writable, 1)));
    }
    template <class T>
    T get(uint32_t offset) const {
        T value{};
        read(offset, std::as_writable_bytes(std::span(&value, 1)));
        return value;
    }

    // From the guest. Beyond the end: reads all ones, ignores writes. Bits that aren't writable stay.
    void read(uint32_t offset, std::span<std::byte> data) const;
    void write(uint32_t offset, std::span<const std::byte> data);

    void reset() { values_ = initial_; }
    void save(ByteWriter& writer) const { writer.put_bytes(values_); }
    // Fails `part`, and changes nothing, unless the bytes are as many as ours and differ from the initial
    // ones in writable bits only.
    void restore(ByteReader& part);

  private:
    void define_bytes(uint32_t offset, std::span<const std::byte> initial,
                      std::span<const std::byte> writable);

    std::vector<std::byte> values_;
    std::vector<std::byte> initial_;
    std::vector<std::byte> writable_;
};

}  // namespace carrel::pci
