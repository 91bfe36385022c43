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
// Pages that only faults for reading may use. Under shadow paging KVM reads the guest's page tables itself,
// and where it is denied that, the guest may get a page fault which isn't its own (KVM-FACTS.md); what they
// are can't be told from the message, but walking them reads, and other reads of what nobody wrote are few.
constexpr uint64_t kReserve = 64;

}  // namespace

Result<std::unique_ptr<FaultService>> FaultService::start(ChunkMapping mapping, uint64_t limit,
                                                          const Clock& clock, MemoryListener& listener) {
    Fd bell(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
    if (!bell.valid()) return os_error(errno, "cannot create an eventfd");
    auto service =
        std::make_unique<FaultService>(std::move(mapping), std::move(bell), limit, clock, listener);
    TRY_ASSIGN(service->thread_, Thread::start("fault", [self = service.get()] { self->run(); }));
    return service;
}

FaultService::FaultService(ChunkMapping mapping, Fd bell, uint64_t limit, const Clock& clock,
                           MemoryListener& listener)
    : clock_(clock),
      listener_(listener),
      bell_(std::move(bell)),
      mapping_(std::move(mapping)),
      table_(mapping_.chunks()),
      account_(limit / kPageSize) {}

void FaultService::stop() {
    stopping_.store(true, std::memory_order_relaxed);
    const uint64_t one = 1;
    (void)!::write(bell_.get(), &one, sizeof one);
    thread_.join();
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
        unsigned notes = 0;
        {
            MutexLock lock(mutex_);
            const size_t count = mapping_.userfault().read(missing);
            if (count == 0) return;
            for (size_t i = 0; i < count; ++i) answer(missing[i]);
            notes = take_notes();
        }
        tell(notes);
    }
}

void FaultService::look_at_time() {
    unsigned notes = 0;
    {
        MutexLock lock(mutex_);
        if (short_since_ && !held_ && clock_.now() >= *short_since_ + kPatience) {
            held_ = true;
            notes_ |= kShort;
        }
        notes = take_notes();
    }
    tell(notes);
}

unsigned FaultService::take_notes() {
    return std::exchange(notes_, 0);
}

void FaultService::tell(unsigned notes) {
    if ((notes & kNear) != 0) listener_.on_memory_near();
    if ((notes & kShort) != 0) listener_.on_memory_short();
    if ((notes & kGiven) != 0) listener_.on_memory_given();
    if ((notes & kRetry) != 0) listener_.on_memory_retry();
    if ((notes & kEnough) != 0) listener_.on_memory_enough();
}

// --- a fault ---

void FaultService::answer(const MissingPage& missing) {
    const size_t chunk = mapping_.chunk_of(missing.address);
    const auto page = static_cast<uint64_t>(missing.address - mapping_.chunk(chunk).data()) / kPageSize;
    const ChunkState state = table_.state(chunk);
    // Two had touched it, and the first one's answer was on its way when the second came.
    if (state == ChunkState::kGranted || state == ChunkState::kDenied || denied(chunk, page))
        return mapping_.userfault().wake(mapping_.chunk(chunk));
    if (state != ChunkState::kArmed && give_chunk(chunk)) return;
    if (give_page(chunk, page, missing.write ? kReserve : 0)) return;
    deny(chunk, page);
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
    if (!account_.charge(pages, spare)) return false;
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

// The whole chunk where nothing of it is there. Of an armed one only the page: others of it may hold the
// guest's page tables, which KVM must be able to read under shadow paging (see kReserve).
void FaultService::deny(size_t chunk, uint64_t page) {
    const bool alone =
        table_.state(chunk) == ChunkState::kArmed && denials_.size() < ChunkMapping::kMostPageDenials;
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
    const uint64_t one = 1;
    (void)!::write(bell_.get(), &one, sizeof one);  // it has a time to wait for now
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
    short_since_.reset();
    if (std::exchange(held_, false)) notes_ |= kEnough;
}

// All of the chunk is there, by other means than allow_all().
void FaultService::forget_denials(size_t chunk) {
    const size_t gone = std::erase_if(denials_, [&](const Denial& d) { return d.chunk == chunk; });
    if (gone == 0) return;
    ++changes_;
    notes_ |= kGiven;
    if (!denials_.empty() || refused_) return;
    short_since_.reset();
    if (std::exchange(held_, false)) notes_ |= kEnough;
}

FaultService::Refusal FaultService::explain(uint64_t& seen) const {
    MutexLock lock(mutex_);
    const bool changed = std::exchange(seen, changes_) != changes_;
    if (!denials_.empty()) return Refusal::kDenied;
    return changed ? Refusal::kOver : Refusal::kNotOurs;
}

// --- our own threads ---

std::optional<FaultService::Part> FaultService::next_part(std::span<const std::byte>& range) const {
    if (range.empty()) return std::nullopt;
    const uint64_t offset = reinterpret_cast<uintptr_t>(range.data()) % kChunkSize;
    const uint64_t length = std::min<uint64_t>(range.size(), kChunkSize - offset);
    const uint64_t first = offset / kPageSize;
    const uint64_t end = (offset + length + kPageSize - 1) / kPageSize;
    const Part part{mapping_.chunk_of(range.data()), first, end - first};
    range = range.subspan(length);
    return part;
}

bool FaultService::acquire(std::span<const std::byte> range) {
    unsigned notes = 0;
    bool all = true;
    {
        MutexLock lock(mutex_);
        auto rest = range;
        size_t pinned = 0;
        for (; all; ++pinned) {
            const auto part = next_part(rest);
            if (!part) break;
            all = make_present(part->chunk, part->first, part->count);
            if (all) table_.pin(part->chunk);
        }
        if (!all) refuse(mapping_.chunk_of(range.data()), pinned - 1);
        notes = take_notes();
    }
    tell(notes);
    return all;
}

// The chunks that were pinned before the one that can't be had.
void FaultService::refuse(size_t first, size_t pinned) {
    for (size_t chunk = first; chunk < first + pinned; ++chunk)
        if (table_.unpin(chunk)) settle(chunk);
    refused_ = true;
    fall_short();
}

bool FaultService::make_present(size_t chunk, uint64_t first, uint64_t count) {
    const ChunkState beneath = table_.beneath(chunk);
    if (beneath == ChunkState::kGranted) return true;
    if (beneath != ChunkState::kArmed && give_chunk(chunk)) {
        forget_denials(chunk);
        return true;
    }
    if (table_.state(chunk) == ChunkState::kDenied) return false;
    for (uint64_t page = first; page < first + count; ++page) {
        if (denied(chunk, page) || !give_page(chunk, page, kReserve)) return false;
    }
    return true;
}

void FaultService::let_go(std::span<const std::byte> range) {
    unsigned notes = 0;
    {
        MutexLock lock(mutex_);
        while (const auto part = next_part(range))
            if (table_.unpin(part->chunk)) settle(part->chunk);
        notes = take_notes();
    }
    tell(notes);
}

// --- giving back ---

bool FaultService::discard(std::span<std::byte> range) {
    bool done = true;
    unsigned notes = 0;
    {
        MutexLock lock(mutex_);
        std::span<const std::byte> rest = range;
        while (const auto part = next_part(rest))
            done = discard_pages(part->chunk, part->first, part->count) && done;
        notes = take_notes();
    }
    tell(notes);
    return done;
}

// Armed before anything of it is dropped, and released after: between the two nobody can have it back unseen.
bool FaultService::discard_pages(size_t chunk, uint64_t first, uint64_t count) {
    const ChunkState state = table_.beneath(chunk);
    if (state != ChunkState::kGranted && state != ChunkState::kArmed) return true;  // there is nothing of it
    const auto pages = mapping_.pages(chunk, first, count);
    if (table_.pinned(chunk)) {
        // One of ours is using it, or a page beside it, and must find it when it does: its content goes, what
        // is charged stays until it is let go.
        table_.owe(chunk);
        return ChunkMapping::drop(pages);
    }
    if (state == ChunkState::kGranted && !mapping_.arm(chunk)) return false;
    if (!ChunkMapping::drop(pages)) return false;
    release(count == kChunkPages ? table_.take_all(chunk) : table_.take_pages(chunk, first, count));
    return true;
}

// Some pages of it went back while it was pinned; those that nobody has touched since are charged for
// nothing.
void FaultService::settle(size_t chunk) {
    const ChunkState state = table_.beneath(chunk);
    if (state == ChunkState::kGranted && !mapping_.arm(chunk)) return;
    if (state != ChunkState::kGranted && state != ChunkState::kArmed) return;
    const auto present = mapping_.present(chunk);
    uint64_t gone = table_.take_pages(chunk, 0, 0);
    for (uint64_t page = 0; page < kChunkPages; ++page) {
        if (!present.test(page) && table_.beneath(chunk) == ChunkState::kArmed)
            gone += table_.take_pages(chunk, page, 1);
    }
    release(gone);
}

void FaultService::release(uint64_t pages) {
    account_.release(pages);
    if (account_.charged() < account_.limit() / 4 * 3) near_ = false;
    allow_all();
}

void FaultService::set_limit(uint64_t bytes) {
    unsigned notes = 0;
    {
        MutexLock lock(mutex_);
        account_.set_limit(bytes / kPageSize);
        near_ = false;
        allow_all();
        notes = take_notes();
    }
    tell(notes);
}

MemoryReport FaultService::report() const {
    MutexLock lock(mutex_);
    return {account_.limit() * kPageSize,
            account_.charged() * kPageSize,
            account_.peak() * kPageSize,
            denied_ever_,
            near_,
            held_};
}

}  // namespace carrel
