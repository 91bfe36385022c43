// The two kinds of ring as they lie in guest memory. VIRTIO 1.3, section 2.7 (split) and 2.8 (packed). All
// numbers are little-endian. "We" are the device, "it" is the guest's driver.
//
// A *descriptor* names one buffer: guest-physical address, length, and whether we may write it. A *chain* is
// one request: buffers that we read, then buffers that we write. The driver makes chains available, we give
// each back as used, in any order, with the number of bytes that we wrote.
//
// SPLIT: three areas, each with one writer. Indices run freely from 0 to 65535 and on to 0; the place in a
// ring is index modulo size.
//
//   descriptor area            driver area: "available"     device area: "used"
//   it writes                  it writes                    we write
//   align 16, 16*size          align 2, 6+2*size            align 4, 6+8*size
//     +------+-----+---+----+    +-----------------------+    +--------------------------+
//   0 | addr | len | f |next|    | flags: no interrupts  |    | flags: no notifications  |
//     +------+-----+---+----+    | idx ---------.        |    | idx -------.             |
//   1 | addr | len | f |next|    +-----+-----+--v--+-----+    +--------+---v----+--------+--
//     +------+-----+---+----+    |  1  |  3  |     |     |    | 3, 512 |        |        | ..
//   2 | addr | len | f |next|    +-----+-----+-----+-----+    +--------+--------+--------+--
//     +------+-----+---+----+    | used_event            |    | avail_event              |
//   3 | addr | len | f |next|    +-----------------------+    +--------------------------+
//     +------+-----+---+----+
//
//   A descriptor with the flag NEXT goes on at `next`. An available entry is the number of a chain's first
//   descriptor, its head; a used element is the head and how much we wrote. idx is where the next entry will
//   be put. used_event and avail_event say at which idx one side wants to be told of the other's progress.
//   Above, chains 1 and 3 were made available; 3 is back, before 1, with 512 bytes written.
//
// PACKED: one ring that both write, and two words about events. Who owns a descriptor is told by two of its
// flags, held against a bit that turns over at each lap (the wrap counter, 1 in the first lap):
//
//                AVAIL    USED
//   available    = wrap   = !wrap    the driver wrote it; it is ours
//   used         = wrap   = wrap     we wrote it; it is the driver's
//
//   descriptor area, align 16, 16*size                     driver area, align 4: when we interrupt
//   +------+-----+----+-------+                            +--------------+-------+
// 0 |      | len | id | used  |  <- a chain of two, given  | offset, wrap | flags |  it writes
//   +------+-----+----+-------+     back: only its first   +--------------+-------+
// 1 |      |     |    | (old) |     descriptor is written
//   +------+-----+----+-------+
// 2 | addr | len |    | avail |  <- next_used, next_avail  device area, align 4: when it notifies
//   |      |     |    | NEXT  |     if nothing is with us  +--------------+-------+
//   +------+-----+----+-------+                            | offset, wrap | flags |  we write
// 3 | addr | len | id | avail |  <- last of that chain:    +--------------+-------+
//   +------+-----+----+-------+     its id names the chain   flags 0 always, 1 never, 2 when the
//                                                            descriptor at `offset` in lap `wrap` goes
//   A chain lies in consecutive descriptors (round the       over to the other side
//   end, too). Whichever chain is given back, one used
//   descriptor is written, at next_used, which then moves on by as many as that chain had.
//
// INDIRECT, both: a descriptor may stand for a table of descriptors elsewhere in memory. Split tables are
// linked by `next` from entry 0, packed ones are used from end to end.
#pragma once

#include <cstddef>
#include <cstdint>

namespace carrel::virtio {

// 2.7.5
struct SplitDescriptor {
    uint64_t address;
    uint32_t length;
    uint16_t flags;
    uint16_t next;  // only with kNext
};

// 2.8.13
struct PackedDescriptor {
    uint64_t address;
    uint32_t length;
    uint16_t id;  // of the buffer; counts in the last descriptor of a chain
    uint16_t flags;
};

// 2.7.8
struct UsedElement {
    uint32_t id;
    uint32_t length;
};

// 2.8.14
struct EventSuppression {
    uint16_t position;  // bits 0 to 14: offset in the ring; bit 15: wrap counter
    uint16_t flags;
};

inline constexpr size_t kDescriptorSize = 16;
static_assert(sizeof(SplitDescriptor) == kDescriptorSize && sizeof(PackedDescriptor) == kDescriptorSize);
static_assert(sizeof(UsedElement) == 8 && sizeof(EventSuppression) == 4);

// 2.7.5, 2.8.1, 2.8.3, 2.8.6, 2.8.7
enum DescriptorFlag : uint16_t {
    kNext = 1u << 0,
    kWrite = 1u << 1,  // device-writable; in a packed used descriptor: something was written
    kIndirect = 1u << 2,
    kAvailable = 1u << 7,  // packed only
    kUsed = 1u << 15,      // packed only
};

// Offsets in the available and in the used ring. 2.7.6, 2.7.8
inline constexpr size_t kRingFlags = 0;
inline constexpr size_t kRingIndex = 2;
inline constexpr size_t kRingEntries = 4;
inline constexpr uint16_t kNoInterrupt = 1;     // available ring's flags, 2.7.7
inline constexpr uint16_t kNoNotification = 1;  // used ring's flags, 2.7.10

// 2.8.10
enum EventFlag : uint16_t {
    kEventsOn = 0,
    kEventsOff = 1,
    kEventAtDescriptor = 2,  // only with VIRTIO_F_EVENT_IDX
    kEventFlags = 3,
};
inline constexpr uint16_t kEventWrap = 1u << 15;

// 2.7 and 2.8: the largest queue.
inline constexpr uint32_t kMaxQueueSize = 32768;

}  // namespace carrel::virtio
