// FaultService's part with a swap file: what its thread "swap" does, and what a fault does about it.
//
//   LEAVING, a chunk:  moved aside in one step (from then on nobody changes it, and who touches a page of it
//                      comes to us), written by the batch, released as it is written. Who wants a page before
//                      that has it back at once, paid for as it is.
//   coming back, a page: charged, read, put in its place; its room in the file is free again.
//
// A page is never there twice, not even while it moves: it goes through `page_`, memory of our own.
#include <algorithm>

#include "vmm/memory/fault_service.h"

namespace carrel {
namespace {

// So much is kept free: a sixteenth of the quota, but no more than a few chunks. Less than what the balloon
// is asked for (on_memory_near), which comes first.
constexpr uint64_t kMostLow = 4 * kChunkPages;
constexpr uint64_t kLowShare = 16;
constexpr uint64_t kBatch = 16;      // pages that are written between two looks
constexpr uint64_t kNeighbours = 8;  // pages, aligned, that are read with one of them
constexpr Nanoseconds kTryAgain = kSecond;

}  // namespace

bool FaultService::wants_room() const {
    const uint64_t low = std::clamp(account_.limit() / kLowShare, 2 * kReserve, kMostLow);
    return account_.left() < low + wanted_;
}

// Whether a page comes by itself.
bool FaultService::may_wait(Brought brought) const {
    if (!swaps()) return false;
    return brought == Brought::kNotYet ? in_trouble_.empty() : out_trouble_.empty();
}

bool FaultService::is_stuck() const {
    return !swaps() || !in_trouble_.empty() || !out_trouble_.empty();
}

// --- the thread ---

void FaultService::run_swap() {
    while (!stopping_.load(std::memory_order_relaxed)) {
        rest();
        if (!stopping_.load(std::memory_order_relaxed) && !fetch_one()) evict_one();
    }
}

void FaultService::stop_swap() {
    {
        MutexLock lock(mutex_);
        work_.notify_all();
    }
    swap_thread_.join();
}

// Until there is something to do that may succeed, or something that failed is due to be tried again.
void FaultService::rest() {
    MutexLock lock(mutex_);
    while (!stopping_.load(std::memory_order_relaxed)) {
        const bool in = !fetches_.empty();
        const bool out = wants_room();
        if ((in && in_trouble_.empty()) || (out && out_trouble_.empty())) return;
        if (in || out) {
            work_.wait_for(mutex_, kTryAgain);
            return;
        }
        in_trouble_.clear();
        out_trouble_.clear();
        work_.wait(mutex_);
    }
}

void FaultService::set_trouble(std::string& of, std::string why) {
    of = std::move(why);
    answer_open();  // they are denied now
    ring();
}

// --- out ---

bool FaultService::evict_one() {
    const auto aside = start_leaving();
    if (!aside) return false;
    bool going = true;
    for (uint64_t page = 0; page < kChunkPages && going; page += kBatch) going = write_some(*aside, page);
    finish_leaving();
    return true;
}

// Nothing: none is to leave, or can.
std::optional<std::span<const std::byte>> FaultService::start_leaving() {
    bool due = false;
    std::optional<std::span<const std::byte>> aside;
    {
        MutexLock lock(mutex_);
        if (!wants_room()) return std::nullopt;
        if (const auto chunk = table_.next_victim()) {
            lift_denials(*chunk);
            aside = set_aside(*chunk);
            if (!aside)
                set_trouble(out_trouble_, "the host doesn't let its memory be moved (vm.max_map_count?)");
        } else {
            set_trouble(out_trouble_, "all of its memory is in use by its devices");
        }
        due = notes_ != 0;
    }
    if (due) tell();
    return aside;
}

std::optional<std::span<const std::byte>> FaultService::set_aside(size_t chunk) {
    if (table_.state(chunk) == ChunkState::kGranted && !mapping_.arm(chunk)) return std::nullopt;
    table_.start_leaving(chunk);
    if (!mapping_.set_aside(chunk)) {
        table_.left(chunk);
        return std::nullopt;
    }
    leaving_ = Leaving{chunk, mapping_.present_aside()};
    uint64_t untouched = 0;  // and paid for
    for (uint64_t page = 0; page < kChunkPages; ++page)
        if (!leaving_->aside.test(page)) untouched += table_.take_pages(chunk, page, 1);
    release(untouched);
    return mapping_.aside();
}

// False: nothing more can be written. What is aside doesn't change, so it is read without the mutex; but it
// may have been wanted back meanwhile, or given back, and then what was written is nobody's.
bool FaultService::write_some(std::span<const std::byte> aside, uint64_t first) {
    std::array<std::optional<SwapPlace>, kBatch> places;
    std::bitset<kBatch> zeros;
    bool going = true;
    for (uint64_t i = 0; i < kBatch && going; ++i) {
        const auto page = aside.subspan((first + i) * kPageSize).first<kPageSize>();
        if (!is_leaving(first + i)) continue;
        zeros.set(i, is_zeros(page));
        if (!zeros.test(i)) places[i] = write_page(page);
        going = zeros.test(i) || places[i];
    }
    bool due = false;
    {
        MutexLock lock(mutex_);
        uint64_t gone = 0;
        if (going) out_trouble_.clear();
        for (uint64_t i = 0; i < kBatch; ++i) gone += has_gone(first + i, places[i], zeros.test(i));
        release(gone);
        due = notes_ != 0;
    }
    if (due) tell();
    return going;
}

bool FaultService::is_leaving(uint64_t page) const {
    MutexLock lock(mutex_);
    return leaving_->aside.test(page);
}

// Nothing: the file is full, or can't be written.
std::optional<SwapPlace> FaultService::write_page(std::span<const std::byte, kPageSize> page) {
    PageBytes packed;
    const auto bytes = std::span(packed).first(pack_page(page, packed));
    std::optional<SwapPlace> place;
    {
        MutexLock lock(mutex_);
        place = index_->reserve(bytes.size());
    }
    Result<void> written;
    if (place) {
        place->sum = SwapFile::sum_of(bytes);
        written = file_->write(*place, bytes);
        if (written.ok()) return place;
    }
    MutexLock lock(mutex_);
    if (place) index_->free(*place);
    set_trouble(out_trouble_, place ? written.error().sentence() : "its swap file is full");
    return std::nullopt;
}

// Pages that are charged no more: one, or none.
uint64_t FaultService::has_gone(uint64_t page, const std::optional<SwapPlace>& place, bool zeros) {
    if (!leaving_->aside.test(page) || (!place && !zeros)) {
        if (place) index_->free(*place);
        return 0;
    }
    leaving_->aside.reset(page);
    ChunkMapping::drop(mapping_.aside().subspan(page * kPageSize, kPageSize));
    if (zeros) return table_.take_pages(leaving_->chunk, page, 1);
    index_->keep(leaving_->chunk, page, *place);
    table_.went(leaving_->chunk, page);
    ++outs_;
    return 1;
}

// What couldn't be written goes back to where it was.
void FaultService::finish_leaving() {
    bool due = false;
    {
        MutexLock lock(mutex_);
        for (uint64_t page = 0; page < kChunkPages; ++page) {
            if (!leaving_->aside.test(page)) continue;
            while (!bring_back(page)) work_.wait_for(mutex_, kMillisecond);  // the host has no page for it
        }
        table_.left(leaving_->chunk);
        leaving_.reset();
        answer_open();
        due = notes_ != 0;
    }
    if (due) tell();
}

bool FaultService::is_aside(size_t chunk, uint64_t page) const {
    return leaving_ && leaving_->chunk == chunk && leaving_->aside.test(page);
}

bool FaultService::bring_back(uint64_t page) {
    const auto from = mapping_.aside().subspan(page * kPageSize, kPageSize);
    std::ranges::copy(from, page_.begin());
    ChunkMapping::drop(from);
    if (!mapping_.userfault().give(mapping_.pages(leaving_->chunk, page, 1), page_)) {
        std::ranges::copy(page_, from.begin());
        return false;
    }
    leaving_->aside.reset(page);
    return true;
}

// --- in ---

FaultService::Brought FaultService::fetch(size_t chunk, uint64_t page, uint64_t spare) {
    if (!charge(1, spare)) return Brought::kNoRoom;
    const bool read = file_->read_at_once(*index_->find(chunk, page), page_);
    if (read && put_fetched(chunk, page)) return Brought::kThere;
    account_.release(1);
    return read ? Brought::kNoRoom : Brought::kNotYet;
}

// Who wants a page often wants the next ones. Only where there is room for them.
void FaultService::fetch_neighbours(size_t chunk, uint64_t page) {
    const uint64_t first = page / kNeighbours * kNeighbours;
    for (uint64_t other = first; other < first + kNeighbours; ++other) {
        if (index_->find(chunk, other) == nullptr) continue;
        if (wants_room() || fetch(chunk, other, kReserve) != Brought::kThere) return;
    }
}

// It is charged, and its content in `page_`.
bool FaultService::put_fetched(size_t chunk, uint64_t page) {
    if (!mapping_.userfault().give(mapping_.pages(chunk, page, 1), page_)) return false;
    index_->drop(chunk, page);
    table_.came(chunk, page);
    ++ins_;
    return true;
}

void FaultService::want_fetched(size_t chunk, uint64_t page) {
    const auto same = [&](const Wanted& w) { return w.chunk == chunk && w.page == page; };
    if (std::ranges::none_of(fetches_, same)) fetches_.push_back({chunk, page});
    if (in_trouble_.empty()) work_.notify_all();
}

// From the disk. False: there is nothing to fetch, or it can't be.
bool FaultService::fetch_one() {
    Wanted wanted{};
    SwapPlace place;
    {
        MutexLock lock(mutex_);
        std::erase_if(fetches_, [this](const Wanted& w)
                                    REQUIRES(mutex_) { return index_->find(w.chunk, w.page) == nullptr; });
        if (fetches_.empty()) return false;
        wanted = fetches_.front();
        place = *index_->find(wanted.chunk, wanted.page);
    }
    PageBytes content;
    const auto read = file_->read(place, content);
    bool due = false;
    {
        MutexLock lock(mutex_);
        if (read.ok()) {
            came_from_disk(wanted, place, content);
        } else {
            set_trouble(in_trouble_, read.error().sentence());
        }
        due = notes_ != 0;
    }
    if (due) tell();
    return read.ok();
}

// If it is still there, and there is room for it; else whoever wants it asks again.
void FaultService::came_from_disk(const Wanted& wanted, const SwapPlace& place, const PageBytes& content) {
    std::erase_if(fetches_,
                  [&](const Wanted& w) { return w.chunk == wanted.chunk && w.page == wanted.page; });
    in_trouble_.clear();
    lift_denials(wanted.chunk);
    const SwapPlace* const now = index_->find(wanted.chunk, wanted.page);
    if (now != nullptr && *now == place && charge(1, 0)) {
        page_ = content;
        if (!put_fetched(wanted.chunk, wanted.page)) account_.release(1);
    }
    allow_all();
    answer_open();
    look_if_over();
}

// --- what waits ---

void FaultService::wait_open(const MissingPage& missing) {
    open_.push_back(missing);
    fall_short();
}

void FaultService::answer_open() {
    for (const MissingPage& missing : std::exchange(open_, {})) answer(missing);
    if (short_since_) look_if_over();
}

// Who was denied comes to us again.
void FaultService::lift_denials(size_t chunk) {
    for (const auto& [of, page] : denials_) {
        if (of != chunk) continue;
        ChunkMapping::allow(page ? mapping_.pages(chunk, *page, 1) : mapping_.chunk(chunk));
        if (!page) table_.allow(chunk);
    }
    forget_denials(chunk);
}

// Of what goes back.
void FaultService::drop_swapped(size_t chunk, uint64_t first, uint64_t count) {
    if (!swaps()) return;
    uint64_t lost = 0;
    for (uint64_t page = first; page < first + count; ++page) {
        if (index_->drop(chunk, page)) ++lost;
        if (!is_aside(chunk, page)) continue;
        leaving_->aside.reset(page);
        ChunkMapping::drop(mapping_.aside().subspan(page * kPageSize, kPageSize));
    }
    table_.lost(chunk, lost);
}

}  // namespace carrel
