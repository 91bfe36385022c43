// ReceiveBuffers: the chains of one receive queue that are ready for a frame, and how it is laid into them.
// VIRTIO 1.3, section 5.1.6.3 and 5.1.6.4.
//
// A frame's size is known only when it is there, and then it has been read. So as many chains are held ready
// as the largest needs (of which those that weren't needed stay for the next), and the kernel copies straight
// into them. Only the first bytes, its header and its addresses, go through memory of ours, where they are
// checked:
//
//   start_ (ours)      first chain            second chain           overflow_ (ours)
//   ┌────┬──────────┐ ┌───────────┬───────┐  ┌────────────────────┐  ┌─┐
//   │ hdr│ Ethernet │ │ (for hdr, │ frame │  │ …                  │  │ │ written: the frame was too long
//   └────┴──────────┘ │ Ethernet) │       │  │                    │  └─┘
//                     └───────────┴───────┘  └────────────────────┘
#pragma once

#include <sys/uio.h>

#include <array>
#include <optional>
#include <span>
#include <vector>

#include "devices/virtio/net/net_format.h"
#include "devices/virtio/queue/descriptor_chain.h"

namespace carrel::virtio {

// Guarded by its device's mutex.
class ReceiveBuffers {
  public:
    // A driver that gives less in one chain gets it back: its header and the addresses are in the first.
    static constexpr uint32_t kLeastChain = sizeof(NetHeader) + sizeof(EthernetHeader);

    explicit ReceiveBuffers(uint16_t queue_size) : chains_(queue_size) {}

    // Whether a chain can be used at all.
    static bool fits(const DescriptorChain& chain);
    void add(DescriptorChain chain);
    size_t chains() const { return count_; }
    uint32_t bytes() const { return bytes_; }  // room, headers included
    // False: no more pieces go into one system call.
    bool takes_more() const { return pieces_ < kMostPieces; }

    // For one frame; of the first chain only, or of all of them. There is one. Until the next change.
    std::span<const iovec> pieces(bool merge);
    NetHeader& header() { return start_.header; }
    const EthernetHeader& ethernet() const { return start_.ethernet; }
    // Whether a frame of so many bytes, header included, was cut.
    bool overflowed(size_t bytes) const { return bytes > offered_; }
    // Gives back the chains that hold the first `bytes`: the frame that was read, its header included.
    void complete(uint32_t bytes);

    void put_back();  // all of them: nothing has been received into them
    void abandon();   // in a reset

  private:
    // IOV_MAX is 1024: room for ours, and for a chain more than fits (at most 256 pieces, the queue's size).
    static constexpr size_t kMostPieces = 512;
    static constexpr size_t kMostList = 1024;
    struct FrameStart {
        NetHeader header;
        EthernetHeader ethernet;
    };
    static_assert(sizeof(FrameStart) == kLeastChain);

    DescriptorChain& at(size_t i) { return *chains_[(first_ + i) % chains_.size()]; }
    void list_rest(const DescriptorChain& chain, uint32_t skip, size_t& used);
    DescriptorChain take_first();

    FrameStart start_{};
    std::byte overflow_{};
    std::vector<std::optional<DescriptorChain>> chains_;  // a ring, from first_ on
    size_t first_ = 0;
    size_t count_ = 0;
    size_t pieces_ = 0;
    uint32_t bytes_ = 0;
    uint32_t offered_ = 0;
    std::array<iovec, kMostList> list_{};
};

}  // namespace carrel::virtio
