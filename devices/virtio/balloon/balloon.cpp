#include "devices/virtio/balloon/balloon.h"

#include <algorithm>
#include <cstddef>
#include <cstring>

#include "devices/saved_state.h"
#include "devices/virtio/queue/chain_io.h"

namespace carrel::virtio {
namespace {

constexpr std::string_view kTag = "VBAL";
constexpr uint16_t kVersion = 1;

}  // namespace

void Balloon::set_target(uint32_t pages) {
    MutexLock lock(mutex_);
    if (target_ == pages) return;
    target_ = pages;
    if (active()) events().config_changed();
}

uint32_t Balloon::target() const {
    MutexLock lock(mutex_);
    return target_;
}

uint32_t Balloon::actual() const {
    MutexLock lock(mutex_);
    return actual_;
}

uint32_t Balloon::most_actual() const {
    MutexLock lock(mutex_);
    return most_actual_;
}

// 5.5.6.3: the buffer with the last ones goes back, and that is the question.
void Balloon::ask_statistics() {
    MutexLock lock(mutex_);
    if (!statistics_chain_ || !serving()) return;
    statistics_chain_->complete(0);
    statistics_chain_.reset();
    publish(kStatistics);
}

BalloonStatistics Balloon::statistics() const {
    MutexLock lock(mutex_);
    return statistics_;
}

void Balloon::begin_hints() {
    MutexLock lock(mutex_);
    hinted_ = 0;
    ask_hints(next_hint_);
    // 5.5.6.6.1: a new number each time, and none of the two that mean something else.
    next_hint_ = std::max(next_hint_ + 1, kFirstHint);
}

void Balloon::end_hints() {
    MutexLock lock(mutex_);
    ask_hints(kHintDone);
}

void Balloon::ask_hints(uint32_t command) {
    hint_command_ = command;
    if (active()) events().config_changed();
}

uint64_t Balloon::features() const {
    return kBalloonStatsVq | kBalloonDeflateOnOom | kBalloonFreePageHint | kBalloonPagePoison |
           kBalloonPageReporting;
}

BalloonConfig Balloon::config() const {
    return {target_, actual_, hint_command_, poison_};
}

void Balloon::read_config(uint64_t offset, std::span<std::byte> data) {
    MutexLock lock(mutex_);
    const BalloonConfig now = config();
    const auto bytes = std::as_bytes(std::span(&now, 1));
    if (offset >= bytes.size()) return;
    std::memcpy(data.data(), bytes.data() + offset, std::min<size_t>(data.size(), bytes.size() - offset));
}

// Any width, at any place: what isn't the driver's stays as it is.
void Balloon::write_config(uint64_t offset, std::span<const std::byte> data) {
    MutexLock lock(mutex_);
    BalloonConfig next = config();
    const auto bytes = std::as_writable_bytes(std::span(&next, 1));
    if (offset >= bytes.size()) return;
    std::memcpy(bytes.data() + offset, data.data(), std::min<size_t>(data.size(), bytes.size() - offset));
    actual_ = next.actual;
    most_actual_ = std::max(most_actual_, actual_);
    poison_ = next.poison_val;
}

bool Balloon::turn(uint16_t queue) {
    for (unsigned left = kMostChainsHere; left != 0; --left) {
        auto chain = take(queue);
        if (!chain) return false;
        serve(queue, std::move(*chain));
    }
    return true;
}

// 5.5.2 gives each queue its number whatever was accepted; Linux counts only those it has, so that reports
// come in the fourth where hints weren't accepted.
Balloon::Queue Balloon::role(uint16_t queue) const {
    if (queue == kHints && (accepted() & kBalloonFreePageHint) == 0) return kReports;
    return static_cast<Queue>(queue);
}

void Balloon::serve(uint16_t queue, DescriptorChain chain) {
    switch (role(queue)) {
        case kInflate: return inflate(std::move(chain));
        case kStatistics: return keep_statistics(std::move(chain));
        case kHints: return take_hint(std::move(chain));
        case kReports: return take_report(std::move(chain));
        default: return chain.complete(0);  // deflated pages come back when they are touched
    }
}

// 5.5.6: numbers of pages, 32 bits each.
void Balloon::inflate(DescriptorChain chain) {
    ChainReader reader(chain);
    std::array<uint32_t, 256> pages;
    uint32_t left = kMostPages;
    while (left != 0 && reader.remaining() >= sizeof pages[0]) {
        const size_t count = std::min<size_t>({left, pages.size(), reader.remaining() / sizeof pages[0]});
        const auto some = std::span(pages).first(count);
        reader.read(std::as_writable_bytes(some));
        release_pages(some);
        left -= static_cast<uint32_t>(count);
    }
    refused_.fetch_add(reader.remaining() / sizeof pages[0], std::memory_order_relaxed);
    chain.complete(0);
}

// Neighbours, which Linux names in falling or rising order, go together.
void Balloon::release_pages(std::span<const uint32_t> pages) {
    for (size_t i = 0; i < pages.size();) {
        uint64_t low = pages[i], high = low;
        for (++i; i < pages.size(); ++i) {
            if (pages[i] == high + 1)
                ++high;
            else if (uint64_t{pages[i]} + 1 == low)
                --low;
            else
                break;
        }
        const uint64_t count = high - low + 1;
        const auto done = memory().release(Gpa{low * kBalloonPageSize}, count * kBalloonPageSize);
        if (done) released_.fetch_add(*done, std::memory_order_relaxed);
        if (!done) refused_.fetch_add(count, std::memory_order_relaxed);
    }
}

void Balloon::keep_statistics(DescriptorChain chain) {
    ChainReader reader(chain);
    for (size_t i = 0; i < kBalloonTags; ++i) {
        const auto one = reader.get<BalloonStatistic>();
        if (!one) break;
        if (one->tag < statistics_.size())
            statistics_[one->tag] = one->value;  // others are ignored, 5.5.6.3.2
    }
    if (statistics_chain_) statistics_chain_->complete(0);  // 5.5.6.3.1 allows one; nobody keeps more
    statistics_chain_.reset();
    statistics_chain_.emplace(std::move(chain));
}

// 5.5.6.6: readable, the number of the command that follows or kHintStop; writable, a free page or many.
void Balloon::take_hint(DescriptorChain chain) {
    ChainReader reader(chain);
    if (const auto command = reader.get<uint32_t>()) heard_hint_ = *command;
    if (heard_hint_ >= kFirstHint && heard_hint_ == hint_command_)
        hinted_.fetch_add(chain.writable_bytes(), std::memory_order_relaxed);
    chain.complete(0);
}

// 5.5.6.7. What the guest filled its free pages with must be there again; zeros are all that we give.
void Balloon::take_report(DescriptorChain chain) {
    const bool poisoned = (accepted() & kBalloonPagePoison) != 0 && poison_ != 0;
    const WritablePieces pieces = chain.writable();
    for (size_t i = 0; i < pieces.size() && !poisoned; ++i)
        released_.fetch_add(memory().release(pieces[i]), std::memory_order_relaxed);
    chain.complete(0);
}

bool Balloon::drain(bool abandon, Nanoseconds) {
    if (statistics_chain_ && !abandon) {
        statistics_chain_->complete(0);
        publish(kStatistics);
    } else if (statistics_chain_) {
        statistics_chain_->abandon();
    }
    statistics_chain_.reset();
    if (!abandon) return true;
    actual_ = poison_ = 0;
    heard_hint_ = kHintStop;
    return true;
}

void Balloon::save(ByteWriter& writer) const {
    MutexLock lock(mutex_);
    const size_t start = writer.begin_part(kTag, kVersion);
    for (const uint32_t number : {target_, actual_, poison_, hint_command_, next_hint_, heard_hint_})
        writer.put(number);
    writer.end_part(start);
}

Result<void> Balloon::restore(ByteReader& reader) {
    ByteReader part = reader.part(kTag, kVersion);
    std::array<uint32_t, 6> numbers;
    for (uint32_t& number : numbers) number = part.get<uint32_t>();
    if (!complete(part) || numbers[4] < kFirstHint) return damaged_state(name());
    MutexLock lock(mutex_);
    target_ = numbers[0];
    actual_ = numbers[1];
    poison_ = numbers[2];
    hint_command_ = numbers[3];
    next_hint_ = numbers[4];
    heard_hint_ = numbers[5];
    return {};
}

}  // namespace carrel::virtio
