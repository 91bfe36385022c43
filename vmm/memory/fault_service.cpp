#include "vmm/memory/fault_service.h"

#include <poll.h>
#include <sys/eventfd.h>

#include <algorithm>
#include <array>
#include <cerrno>

namespace carrel {
namespace {

// Siblings of a vCPU that stands still would soon report stalls (DESIGN.md section 8).
constexpr Nanoseconds kPatience = 10 * kMillisecond;

}  // namespace

Result<std::unique_ptr<FaultService>> FaultService::start(ChunkMapping mapping, uint64_t limit,
                                                          std::optional<SwapFile> file, const Clock& clock,
                                                          MemoryListener& listener) {
    Fd bell(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
    if (!bell.valid()) return os_error(errno, "cannot create an eventfd");
    auto service = std::make_unique<FaultService>(std::move(mapping), std::move(bell), limit, std::move(file),
                                                  clock, listener);
    TRY_ASSIGN(service->thread_, Thread::start("fault", [self = service.get()] { self->run(); }));
    if (service->file_) {
        TRY_ASSIGN(service->swap_thread_,
                   Thread::start("swap", [self = service.get()] { self->run_swap(); }));
    }
    return service;
}

FaultService::FaultService(ChunkMapping mapping, Fd bell, uint64_t limit, std::optional<SwapFile> file,
                           const Clock& clock, MemoryListener& listener)
    : clock_(clock),
      listener_(listener),
      bell_(std::move(bell)),
      mapping_(std::move(mapping)),
      table_(mapping_.chunks()),
      account_(limit / kPageSize),
      file_(std::move(file)) {
    if (file_) index_.emplace(file_->size(), table_.size());
}

void FaultService::stop() {
    stopping_.store(true, std::memory_order_relaxed);
    ring();
    thread_.join();
    stop_swap();
}

void FaultService::ring() const {
    const uint64_t one = 1;
    (void)!::write(bell_.get(), &one, sizeof one);
}

// --- the thread ---

void FaultService::run() {
    int userfault = -1;
    {
        MutexLock lock(mutex_);
        userfault = mapping_.userfault().fd();
    }
    std::array<pollfd, 2> wanted{pollfd{userfault, POLLIN, 0}, pollfd{bell_.get(), POLLIN, 0}};
    while (!stopping_.load(std::memory_order_relaxed)) {
        ::poll(wanted.data(), wanted.size(), timeout_ms());
        uint64_t rung = 0;
        if (wanted[1].revents != 0) (void)!::read(bell_.get(), &rung, sizeof rung);
        answer_all();
        look_at_time();
    }
}

int FaultService::timeout_ms() const {
    MutexLock lock(mutex_);
    if (!short_since_ || held_) return -1;
    const Nanoseconds left = *short_since_ + kPatience - clock_.now();
    return left <= 0 ? 0 : static_cast<int>((left + kMillisecond - 1) / kMillisecond);
}

void FaultService::answer_all() {
    std::array<MissingPage, 16> missing;
    for (;;) {
        bool due = false;
        {
            MutexLock lock(mutex_);
            const size_t count = mapping_.userfault().read(missing);
            if (count == 0) return;
            for (size_t i = 0; i < count; ++i) answer(missing[i]);
            due = notes_ != 0;
        }
        if (due) tell();
    }
}

void FaultService::look_at_time() {
    bool due = false;
    {
        MutexLock lock(mutex_);
        if (short_since_ && !held_ && clock_.now() >= *short_since_ + kPatience) {
            held_ = true;
            notes_ |= kHeld;
        }
        if (held_ && is_stuck() && !std::exchange(stuck_, true)) notes_ |= kHeld;
        due = notes_ != 0;
    }
    if (due) tell();
}

// One after the other, and of what it is now: two threads that tell of two changes could come in the wrong
// order, and the guest stay held.
void FaultService::tell() {
    MutexLock in_order(telling_);
    unsigned notes = 0;
    bool held = false;
    bool stuck = false;
    {
        MutexLock lock(mutex_);
        notes = std::exchange(notes_, 0);
        held = held_;
        stuck = stuck_;
    }
    const bool was_held = std::exchange(told_held_, held);
    const bool was_stuck = std::exchange(told_stuck_, stuck);
    if ((notes & kNear) != 0) listener_.on_memory_near();
    if (held && !was_held) listener_.on_memory_short();
    if (stuck && !was_stuck) listener_.on_memory_stuck();
    if ((notes & kGiven) != 0) listener_.on_memory_given();
    if ((notes & kRetry) != 0) listener_.on_memory_retry();
    if (!held && was_held) listener_.on_memory_enough();
}

// --- a fault ---

void FaultService::answer(const MissingPage& missing) {
    const size_t chunk = mapping_.chunk_of(missing.address);
    const auto page = static_cast<uint64_t>(missing.address - mapping_.chunk(chunk).data()) / kPageSize;
    const ChunkState state = table_.state(chunk);
    // Two had touched it, and the first one's answer was on its way when the second came.
    if (state == ChunkState::kGranted || state == ChunkState::kDenied || denied(chunk, page))
        return mapping_.userfault().wake(mapping_.chunk(chunk));
    if (is_untouched(chunk) && give_chunk(chunk)) return;
    const Brought brought = bring(chunk, page, missing.write ? kReserve : 0);
    if (brought == Brought::kThere) return;
    if (brought == Brought::kNotYet) want_fetched(chunk, page);
    if (!missing.write && may_wait(brought)) return wait_open(missing);
    deny(chunk, page);
}

bool FaultService::is_untouched(size_t chunk) const {
    return table_.beneath(chunk) == ChunkState::kEmpty || table_.beneath(chunk) == ChunkState::kDiscarded;
}

FaultService::Brought FaultService::bring(size_t chunk, uint64_t page, uint64_t spare) {
    if (is_aside(chunk, page)) return bring_back(page) ? Brought::kThere : Brought::kNoRoom;
    if (swaps() && index_->find(chunk, page) != nullptr) {
        const Brought fetched = fetch(chunk, page, spare);
        if (fetched == Brought::kThere) fetch_neighbours(chunk, page);
        return fetched;
    }
    return give_page(chunk, page, spare) ? Brought::kThere : Brought::kNoRoom;
}

bool FaultService::give_chunk(size_t chunk) {
    if (!charge(kChunkPages, kReserve)) return false;
    if (!mapping_.give(chunk)) {
        account_.release(kChunkPages);
        return false;
    }
    table_.give(chunk);
    return true;
}

bool FaultService::charge(uint64_t pages, uint64_t spare) {
    const bool charged = account_.charge(pages, spare);
    if (swaps() && wants_room() && out_trouble_.empty()) work_.notify_all();
    if (!charged) return false;
    if (account_.charged() > account_.limit() / 8 * 7 && !std::exchange(near_, true)) notes_ |= kNear;
    return true;
}

bool FaultService::give_page(size_t chunk, uint64_t page, uint64_t spare) {
    const bool paid = table_.has_page(chunk, page);
    if (!paid && !charge(1, spare)) return false;
    if (!mapping_.userfault().give_zeros(mapping_.pages(chunk, page, 1))) {
        if (!paid) account_.release(1);
        return false;
    }
    if (!paid) table_.give_page(chunk, page);
    return true;
}

// The whole chunk where nothing of it is there. Else only the page: others of it may hold the guest's page
// tables, which KVM must be able to read under shadow paging (see kReserve).
void FaultService::deny(size_t chunk, uint64_t page) {
    const bool alone = !is_untouched(chunk) && denials_.size() < ChunkMapping::kMostPageDenials;
    // Soon it is another kind of chunk.
    if (!alone && table_.state(chunk) == ChunkState::kLeaving)
        return open_.push_back({mapping_.pages(chunk, page, 1).data(), true});
    const auto range = alone ? mapping_.pages(chunk, page, 1) : mapping_.chunk(chunk);
    if (!mapping_.deny(range)) return mapping_.userfault().wake(range);  // it comes again
    if (!alone) table_.deny(chunk);
    denials_.push_back({chunk, alone ? std::optional(page) : std::nullopt});
    ++denied_ever_;
    ++changes_;
    fall_short();
}

bool FaultService::denied(size_t chunk, uint64_t page) const {
    return std::ranges::any_of(denials_, [&](const Denial& d) { return d.chunk == chunk && d.page == page; });
}

void FaultService::fall_short() {
    if (short_since_) return;
    short_since_ = clock_.now();
    ring();  // it has a time to wait for now
}

// Whoever was denied tries again, and is given or denied what there is then.
void FaultService::allow_all() {
    if (!short_since_ || account_.left() <= kReserve) return;
    if (!denials_.empty()) notes_ |= kGiven;
    for (; !denials_.empty(); denials_.pop_back()) {
        const auto [chunk, page] = denials_.back();
        if (!ChunkMapping::allow(page ? mapping_.pages(chunk, *page, 1) : mapping_.chunk(chunk))) return;
        if (!page) table_.allow(chunk);
    }
    if (std::exchange(refused_, false)) notes_ |= kRetry;
    ++changes_;
    look_if_over();
}

void FaultService::look_if_over() {
    if (!denials_.empty() || refused_ || !open_.empty()) return;
    short_since_.reset();
    stuck_ = false;
    if (std::exchange(held_, false)) notes_ |= kHeld;
}

// All of the chunk is there, by other means than allow_all().
void FaultService::forget_denials(size_t chunk) {
    const size_t gone = std::erase_if(denials_, [&](const Denial& d) { return d.chunk == chunk; });
    if (gone == 0) return;
    ++changes_;
    notes_ |= kGiven;
    look_if_over();
}

FaultService::Refusal FaultService::explain(uint64_t& seen) const {
    MutexLock lock(mutex_);
    const bool changed = std::exchange(seen, changes_) != changes_;
    if (!denials_.empty()) return Refusal::kDenied;
    return changed ? Refusal::kOver : Refusal::kNotOurs;
}

}  // namespace carrel
