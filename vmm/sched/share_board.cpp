#include "vmm/sched/share_board.h"

#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <climits>
#include <ctime>
#include <new>

namespace carrel::sched {

bool futex_wait(const std::atomic<uint32_t>& word, uint32_t seen, std::optional<Nanoseconds> deadline) {
    timespec until{};
    if (deadline) until = {*deadline / kSecond, *deadline % kSecond};
    // FUTEX_WAIT_BITSET: its time is a point on CLOCK_MONOTONIC, so that a late start doesn't move it.
    const long waited = ::syscall(SYS_futex, &word, FUTEX_WAIT_BITSET, seen, deadline ? &until : nullptr,
                                  nullptr, FUTEX_BITSET_MATCH_ANY);
    return waited == 0 || errno != EINTR;
}

void futex_wake(const std::atomic<uint32_t>& word) {
    ::syscall(SYS_futex, &word, FUTEX_WAKE, INT_MAX, nullptr, nullptr, 0);
}

// Its pages come as they are touched.
Result<ShareBoard> ShareBoard::create(int bell) {
    TRY_ASSIGN(Mapping memory,
               Mapping::map(size_of(kPlaces), PROT_READ | PROT_WRITE,
                            MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0, "the scheduler's board"));
    // Zero bytes are what a fresh VcpuShare has, so only the head is made; touching all would make 2 MiB
    // resident.
    ShareBoard board(memory.data(), kPlaces, bell);
    new (board.head_) Head;
    board.memory_ = std::move(memory);
    return board;
}

void ShareBoard::clear() const {
    new (head_) Head;
    for (uint32_t place = 0; place < places_; ++place) new (&share(place)) VcpuShare;
}

std::optional<uint32_t> ShareBoard::Reports::next() {
    if (place_ >= board_.places() || walked_++ == board_.places()) return std::nullopt;
    const uint32_t place = place_;
    VcpuShare& one = board_.share(place);
    place_ = one.next.load(std::memory_order_relaxed);
    one.listed.store(0, std::memory_order_release);  // from here on it may come in again
    return place;
}

void ShareBoard::report(uint32_t place) const {
    VcpuShare& one = share(place);
    if (one.listed.exchange(1, std::memory_order_acq_rel) == 0) {
        uint32_t first = head_->first.load(std::memory_order_relaxed);
        do {
            one.next.store(first, std::memory_order_relaxed);
        } while (!head_->first.compare_exchange_weak(first, place, std::memory_order_seq_cst,
                                                     std::memory_order_relaxed));
    }
}

void ShareBoard::nudge(uint32_t place) const {
    share(place).word.fetch_add(1, std::memory_order_release);
    futex_wake(share(place).word);
}

void ShareBoard::ring() const {
    head_->doorbell.fetch_add(1, std::memory_order_release);
    if (bell_ < 0) return futex_wake(head_->doorbell);
    const uint64_t one = 1;
    [[maybe_unused]] const auto written = ::write(bell_, &one, sizeof one);
}

void ShareBoard::wait(uint32_t seen, std::optional<Nanoseconds> deadline) const {
    (void)futex_wait(head_->doorbell, seen, deadline);
}

}  // namespace carrel::sched
