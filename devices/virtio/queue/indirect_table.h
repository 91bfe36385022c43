// IndirectTable: a table of descriptors that lies anywhere in guest memory. 2.7.5.3, 2.8.7.
#pragma once

#include <cstdint>
#include <optional>
#include <utility>

#include "devices/virtio/queue/chain_builder.h"
#include "devices/virtio/queue/ring_access.h"
#include "devices/virtio/queue/rings.h"
#include "vmm/memory/guest_memory.h"

namespace carrel::virtio {

class IndirectTable {
  public:
    // Null, and `table` set; else what is wrong. `negotiated`: VIRTIO_F_INDIRECT_DESC.
    static Complaint open(const GuestMemory& memory, uint64_t address, uint32_t length, bool negotiated,
                          IndirectTable& table) {
        // 2.7.5.3.1, 2.8.19
        if (!negotiated) return "an indirect descriptor, which was not negotiated";
        // 2.7.5.3, 2.8.7: a table has length/16 entries, and a chain has at least one (2.7.13.1).
        if (length == 0 || length % kDescriptorSize != 0)
            return "an indirect table whose length is 0 or not a multiple of 16";
        auto bytes = memory.slice(Gpa{address}, length);
        if (!bytes && memory.short_of(Gpa{address}, length)) return ChainBuilder::kNoMemory;
        if (!bytes) return "an indirect table isn't wholly inside one range of RAM";
        table.entries_ = bytes->data();
        table.hold_.emplace(std::move(*bytes));
        table.size_ = static_cast<uint32_t>(length / kDescriptorSize);
        return nullptr;
    }

    uint32_t size() const { return size_; }
    template <class Descriptor>
    Descriptor copy(uint32_t index) const {
        return load_once<Descriptor>(entries_ + size_t{index} * kDescriptorSize);
    }

  private:
    std::optional<ReadWindow> hold_;
    const std::byte* entries_ = nullptr;
    uint32_t size_ = 0;
};

}  // namespace carrel::virtio
