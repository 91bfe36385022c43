// ChainBuilder: turns the descriptors of one chain into pieces, with the checks that both kinds of ring
// share.
#pragma once

#include <sys/uio.h>

#include <cstdint>
#include <memory>
#include <span>

#include "vmm/memory/guest_memory.h"

namespace carrel::virtio {

// A check's verdict: null for good, else what the driver did wrong, in words.
using Complaint = const char*;

class ChainBuilder {
  public:
    // At most `limit` descriptors a chain: the queue's size.
    // `touched`: the device reads and writes what it is given, so that it must be there (a memory quota);
    // otherwise the device only wants to know where the buffers are.
    ChainBuilder(GuestMemory& memory, uint16_t limit, bool touched);

    // The complaint about a chain whose buffers are RAM that can't be had now: nothing is wrong with it.
    static constexpr char kNoMemory[] = "the memory quota has no room for its buffers";

    void begin();
    // The next descriptor, already our own copy. After a complaint the chain can only be dropped.
    Complaint add(uint64_t address, uint32_t length, bool writable);
    // The chain won't reach a device: its windows are closed, nothing was written.
    void drop();

    // Readable ones first. Valid until the next begin().
    std::span<const iovec> pieces() const { return {pieces_.get(), count_}; }
    uint16_t readable_pieces() const { return readable_count_; }
    uint32_t readable_bytes() const { return readable_bytes_; }
    uint32_t writable_bytes() const { return writable_bytes_; }

  private:
    Complaint add_place(Gpa gpa, uint32_t length);
    Complaint add_readable(Gpa gpa, uint32_t length);
    Complaint add_writable(Gpa gpa, uint32_t length);

    GuestMemory& memory_;
    const uint16_t limit_;
    const bool touched_;
    std::unique_ptr<iovec[]> pieces_;  // room for `limit_`
    uint16_t descriptors_ = 0;
    uint16_t count_ = 0;
    uint16_t readable_count_ = 0;
    bool writable_seen_ = false;
    uint32_t readable_bytes_ = 0;
    uint32_t writable_bytes_ = 0;
};

}  // namespace carrel::virtio
