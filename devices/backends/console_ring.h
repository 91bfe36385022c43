// ConsoleRing: the bytes of a console's history as plain data, so that they may lie in memory shared by two
// processes: one writes, and what it wrote is there to be read when it has died.
//
//        end - kSize        end    writing
//   ─ ─ ─ ─ ┼───────────────┼╌╌╌╌╌╌┼ ─ ─        byte p lies at p % kSize
//     gone  │  can be read  │ comes
//
// A writer says how far it will write, writes, and says that it has. A reader copies what is there and then
// looks how far the writer has come: what lies kSize before that may have been overwritten meanwhile.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>

namespace carrel {

struct ConsoleRing {
    static constexpr size_t kSize = 64 * 1024;

    std::atomic<uint64_t> writing{0};
    std::atomic<uint64_t> end{0};
    std::atomic<uint32_t> awaited{0};  // 1: a reader has read all and wants to be told of more
    std::byte bytes[kSize];            // touched as output comes
};
static_assert(std::atomic<uint64_t>::is_always_lock_free, "it lies in shared memory");

}  // namespace carrel
