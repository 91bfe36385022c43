// ChunkTable: what there is of each 2 MiB piece (chunk) of a guest's RAM that has a quota. Pure: it makes no
// system call and knows no address; who holds it guards it.
//
//                    give()                          give_page()
//      GRANTED ◄───────────────┐   EMPTY    ────────────────────────► ARMED ◄─┐
//     all 512 pages            └── untouched                      some pages  │ give_page(), came(),
//     are charged              ┌── DISCARDED  ──────────────────────► ▲ │ ▲ ──┘ take_pages()
//       │  │   │    give()     │   was given back; zeros              │ │ │
//       │  │   └───────────────┘     ▲  ▲  ▲                          │ │ │
//       │  │      take_all()  ───────┘  │  └── take_all(), or ────────┘ │ │ give_page(),
//       │  └──────────────────────────────────  take_pages() of the rest│ │ came()
//       │         take_pages(): ARMED, with the others                  │ │
//       │                                                               ▼ │
//       └──────────────► LEAVING ──────────────► SWAPPED ─────────────────┘
//         start_leaving()  its pages are being     nothing of it is charged, something is in the swap file
//                          written: went() each;   lost() of the rest, take_all(): DISCARDED
//                          left(): SWAPPED; ARMED where some were wanted meanwhile and stay;
//                          DISCARDED where they were given back
//
//      DENIED: a fault on an EMPTY, ARMED, DISCARDED or SWAPPED chunk was refused: nobody can touch it
//              (PROT_NONE). allow() makes it again what it was.
//
// "Armed" in the wider sense, that is, registered with the userfaultfd so that a touch of a missing page
// comes to us, is every state but GRANTED. In ARMED and LEAVING a bit a page tells which are charged. A
// charged page needn't be there: whoever touches it gets a zero page that is paid for. Pages of an ARMED
// chunk may be in the swap file, too (those that are neither charged nor there are zeros): they come one by
// one, as they are wanted.
#pragma once

#include <bitset>
#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "vmm/model/gpa.h"

namespace carrel {

enum class ChunkState : uint8_t { kEmpty, kArmed, kGranted, kDenied, kDiscarded, kLeaving, kSwapped };

inline constexpr uint64_t kChunkSize = kHugePageSize;
inline constexpr uint64_t kChunkPages = kChunkSize / kPageSize;

class ChunkTable {
  public:
    explicit ChunkTable(size_t chunks) : chunks_(chunks) {}
    size_t size() const { return chunks_.size(); }

    ChunkState state(size_t chunk) const { return chunks_[chunk].state; }
    // What a denied one was, and is in truth; of others, their state.
    ChunkState beneath(size_t chunk) const { return chunks_[chunk].beneath; }
    // Some of its pages may be charged, and there.
    bool holds_pages(size_t chunk) const;
    uint64_t charged(size_t chunk) const;              // pages
    bool has_page(size_t chunk, uint64_t page) const;  // is charged
    void give(size_t chunk);                           // all of it. From any but GRANTED, LEAVING, SWAPPED
    void give_page(size_t chunk, uint64_t page);       // from any but GRANTED
    void deny(size_t chunk);
    void allow(size_t chunk);
    // Both return how many pages are charged no more.
    uint64_t take_all(size_t chunk);                                    // not from LEAVING
    uint64_t take_pages(size_t chunk, uint64_t first, uint64_t count);  // from GRANTED, ARMED and LEAVING
    void start_leaving(size_t chunk);                                   // from GRANTED and ARMED, unpinned
    void went(size_t chunk, uint64_t page);   // LEAVING: into the swap file; it is charged no more
    void left(size_t chunk);                  // ends LEAVING
    void came(size_t chunk, uint64_t page);   // out of the swap file, and is charged
    void lost(size_t chunk, uint64_t pages);  // so many that were there are wanted no more

    // Somebody of ours uses it: it doesn't leave, and stays charged. As often unpinned as pinned.
    void pin(size_t chunk) { ++chunks_[chunk].pins; }
    bool unpin(size_t chunk);  // true: the last one, and settle() is due
    bool pinned(size_t chunk) const { return chunks_[chunk].pins != 0; }
    // Pages went back while it was pinned, and are charged still: unpin() tells.
    void owe(size_t chunk) { chunks_[chunk].owes = true; }

    // The next one to leave: a clock over the chunks in their order, which passes over those that are pinned
    // and, once, over those that were given or fetched since it last came by. It can't do better: what is
    // granted is touched without our knowing (there is no accessed bit that we could read), so this is first
    // in, first out with a second chance. Nothing: there is none.
    std::optional<size_t> next_victim();

  private:
    struct Chunk {
        ChunkState state = ChunkState::kEmpty;
        ChunkState beneath = ChunkState::kEmpty;
        bool fresh = false;
        bool owes = false;
        uint32_t pins = 0;
        std::unique_ptr<std::bitset<kChunkPages>> pages;  // ARMED and LEAVING only
        uint16_t swapped = 0;                             // pages in the swap file
    };
    static void become(Chunk& chunk, ChunkState state);
    static void settle(Chunk& chunk);
    static std::bitset<kChunkPages>& pages_of(Chunk& chunk);

    std::vector<Chunk> chunks_;
    size_t hand_ = 0;
};

}  // namespace carrel
