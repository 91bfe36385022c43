#include "devices/virtio/block/block.h"

#include <unistd.h>

#include <algorithm>
#include <bit>
#include <cerrno>
#include <cstring>

#include "devices/saved_state.h"
#include "devices/virtio/block/block_config.h"
#include "devices/virtio/queue/chain_io.h"
#include "vmm/base/check.h"

namespace carrel::virtio {
namespace {
constexpr Nanoseconds kSizeInterval = 2 * kSecond;
// A wait for the disk looks this often; its event may be another thread's to read.
constexpr Nanoseconds kDrainSlice = kMillisecond / 10;
}  // namespace

Result<std::unique_ptr<Block>> Block::create(EventLoop& loop, const DiskImage& image, std::string id,
                                             Throttle& throttle, Log* log) {
    const auto places = static_cast<uint16_t>(image.queues * kQueueSize);
    TRY_ASSIGN(auto disk, DiskRequests::create(image, places, loop.charge()));
    auto block = std::make_unique<Block>(loop, image, std::move(id), throttle, log, std::move(disk));
    block->look_at_size();
    return block;
}

Block::Block(EventLoop& loop, const DiskImage& image, std::string id, Throttle& throttle, Log* log,
             std::unique_ptr<DiskRequests> disk)
    : loop_(loop),
      image_(image),
      id_(std::move(id)),
      queue_sizes_(image.queues, kQueueSize),
      throttle_(throttle),
      disk_(std::move(disk)),
      trouble_(image.path, log),
      bytes_(image.bytes),
      usable_(image.bytes),
      told_bytes_(image.bytes) {
    MutexLock lock(mutex_);
    pending_.reserve(queue_sizes_.size() * kQueueSize);
    free_.reserve(pending_.capacity());
    throttle_.attach(*this);
}

Block::~Block() {
    throttle_.detach(*this);
    reset();
    if (timer_) loop_.cancel(*timer_);
    MutexLock lock(mutex_);
    if (disk_->under_way() == 0) return;
    // What even the reset couldn't wait for. The host may still write where it was told to.
    trouble_.stuck(disk_->under_way());
    memory().keep_addresses();
    for (auto& pending : pending_)
        if (pending) pending->chain.abandon();
}

uint64_t Block::features() const {
    return block_features(image_);
}

void Block::read_config(uint64_t offset, std::span<std::byte> data) {
    MutexLock lock(mutex_);
    const BlockConfig config = block_config(image_, bytes_, kSegments, write_back_);
    const auto bytes = std::as_bytes(std::span(&config, 1)).first(kBlockConfigBytes);
    if (offset >= bytes.size()) return;
    std::memcpy(data.data(), bytes.data() + offset, std::min<size_t>(data.size(), bytes.size() - offset));
}

// 5.2.5.2: `writeback`, once the driver has taken the feature. What was written before it says 0 isn't made
// durable by that.
void Block::write_config(uint64_t offset, std::span<const std::byte> data) {
    constexpr uint64_t kField = offsetof(BlockConfig, writeback);
    if (offset > kField || kField - offset >= data.size()) return;
    MutexLock lock(mutex_);
    if ((accepted() & kBlockConfigWce) != 0) write_back_ = data[kField - offset] != std::byte{0};
}

bool Block::write_back() const {
    return write_back_ && !image_.write_through && (accepted() & kBlockFlush) != 0;
}

void Block::serve(uint16_t queue, DescriptorChain chain) {
    BlockRequest request;
    if (!request.read(chain)) return chain.complete(0);
    if (request.header.type == kBlockGetId) return get_id(chain, request);
    const BlockStatus status = judge(chain, request);
    if (status != kBlockOk) return answer(chain, request, status, 0);
    if (throttle_.limited()) [[unlikely]]
        throttle_.take(moved_bytes(request));
    if (const auto error = disk_->now(ask_for(request))) return finish(chain, request, *error);
    start(queue, std::move(chain), std::move(request));
}

BlockStatus Block::judge(const DescriptorChain& chain, BlockRequest& request) const {
    switch (request.header.type) {
        case kBlockOut:
            // Whatever its driver sends.
            if (image_.read_only) return kBlockIoError;
            [[fallthrough]];
        case kBlockIn: {  // 5.2.6.2: whole sectors, inside the disk
            const bool whole = request.data_bytes != 0 && request.data_bytes % kSectorSize == 0;
            return whole && inside(request.header.sector, request.data_bytes / kSectorSize) ? kBlockOk
                                                                                            : kBlockIoError;
        }
        case kBlockFlushRequest: return kBlockOk;
        case kBlockDiscardRequest:
            return (features() & kBlockDiscard) != 0 ? judge_ranges(chain, request) : kBlockUnsupported;
        case kBlockWriteZeroesRequest:
            return (features() & kBlockWriteZeroes) != 0 ? judge_ranges(chain, request) : kBlockUnsupported;
        default: return kBlockUnsupported;
    }
}

bool Block::inside(uint64_t sector, uint64_t sectors) const {
    const uint64_t all = usable_ / kSectorSize;
    return sector <= all && sectors <= all - sector;
}

// 5.2.6.2: unknown flags, and an unmap of a discard, are unsupported; 5.2.6.1: no more and no longer than was
// said.
BlockStatus Block::judge_ranges(const DescriptorChain& chain, BlockRequest& request) const {
    const bool discard = request.header.type == kBlockDiscardRequest;
    const uint32_t flags = discard ? 0 : kBlockUnmap;
    const uint32_t most = discard ? kMostDiscardSectors : kMostZeroSectors;
    const auto segments = request.segments(chain, kMostBlockSegments);
    if (segments.empty()) return kBlockIoError;
    request.unmap = true;
    for (const BlockSegment& segment : segments) {
        if ((segment.flags & ~flags) != 0) return kBlockUnsupported;
        const bool good = segment.num_sectors <= most && inside(segment.sector, segment.num_sectors);
        if (!good || segment.num_sectors == 0) return kBlockIoError;
        request.unmap = request.unmap && segment.flags != 0;
        request.ranges.push_back({segment.sector * kSectorSize, uint64_t{segment.num_sectors} * kSectorSize});
    }
    return kBlockOk;
}

DiskRequest Block::ask_for(const BlockRequest& request) const {
    using Kind = DiskOperation::Kind;
    DiskRequest ask;
    ask.durable = !write_back();
    switch (request.header.type) {
        case kBlockIn: ask.kind = Kind::kRead; break;
        case kBlockOut: ask.kind = Kind::kWrite; break;
        case kBlockFlushRequest: ask.kind = Kind::kSync; return ask;
        // Room that a driver didn't allow to be given up isn't (5.2.6.2).
        default:
            ask.kind = request.header.type == kBlockDiscardRequest || (request.unmap && image_.punches)
                           ? Kind::kPunch
                           : Kind::kZero;
            ask.ranges = request.ranges;
            return ask;
    }
    ask.pieces = request.data;
    ask.offset = request.header.sector * kSectorSize;
    ask.bytes = request.data_bytes;
    return ask;
}

// Discards and zeroes move nothing: they are offered only where the host needn't write them.
uint32_t Block::moved_bytes(const BlockRequest& request) {
    const bool moves = request.header.type == kBlockIn || request.header.type == kBlockOut;
    return moves ? request.data_bytes : 0;
}

// There is one: the queues have no more chains than these. The one used last, else one that nobody has
// touched.
uint16_t Block::free_place() {
    if (free_.empty()) {
        CHECK(pending_.size() < pending_.capacity());
        pending_.emplace_back();
        return static_cast<uint16_t>(pending_.size() - 1);
    }
    const uint16_t place = free_.back();
    free_.pop_back();
    return place;
}

void Block::start(uint16_t queue, DescriptorChain chain, BlockRequest request) {
    const uint16_t place = free_place();
    const Pending& pending = pending_[place].emplace(Pending{std::move(chain), std::move(request), queue});
    disk_->start(place, ask_for(pending.request));
}

void Block::end_turn(uint16_t queue) {
    if (!disk_->submit()) events().again(queue);
}

// The doorbell of the device's own thread.
void Block::go_on() {
    goes_on_.store(true, std::memory_order_release);
    const uint64_t one = 1;
    (void)!::write(event_fd(), &one, sizeof one);
}

// Each time another one first: it may use up all that has come in meanwhile.
void Block::notify_all() {
    const size_t queues = queue_sizes_.size();
    first_ = (first_ + 1) % queues;
    for (size_t i = 0; i < queues; ++i) notify(static_cast<uint16_t>((first_ + i) % queues));
}

void Block::wake() {
    if (goes_on_.load(std::memory_order_relaxed)) [[unlikely]]
        if (goes_on_.exchange(false)) notify_all();
    MutexLock lock(mutex_);
    if (disk_->under_way() == 0) return;
    // Not active: what a reset couldn't wait for ends now, in memory that isn't the disk's any more.
    reap(!active());
    if (active()) {
        end_turn(0);
        publish_ended();
    } else {
        disk_->submit();
    }
}

void Block::reap(bool abandon) {
    while (const auto ended = disk_->reap()) {
        Pending& pending = *pending_[ended->tag];
        if (abandon) {
            pending.chain.abandon();
        } else {
            ended_queues_ |= uint64_t{1} << pending.queue;
            finish(pending.chain, pending.request, ended->error);
        }
        pending_[ended->tag].reset();
        free_.push_back(ended->tag);
    }
}

void Block::publish_ended() {
    for (; ended_queues_ != 0; ended_queues_ &= ended_queues_ - 1)
        publish(static_cast<uint16_t>(std::countr_zero(ended_queues_)));
}

void Block::finish(DescriptorChain& chain, const BlockRequest& request, int error) {
    // 5.2.6: a discard is a hint; a device that can't after all has done nothing wrong.
    const bool hint = request.header.type == kBlockDiscardRequest && error == EOPNOTSUPP;
    const bool good = error == 0 || hint;
    if (!good) trouble_.failed(ask_for(request).kind, error, loop_.clock().now());
    const bool read = good && request.header.type == kBlockIn;
    answer(chain, request, good ? kBlockOk : kBlockIoError, read ? request.data_bytes : 0);
}

// `data` bytes of writable data are in place; the status is behind all of it.
void Block::answer(DescriptorChain& chain, const BlockRequest& request, BlockStatus status, uint32_t data) {
    request.status[0] = static_cast<std::byte>(status);
    chain.wrote(request.status);
    const bool whole = chain.writable_bytes() - 1 == data;
    chain.complete(whole ? data + 1 : std::max<uint32_t>(data, 1));
}

void Block::get_id(DescriptorChain& chain, const BlockRequest& request) {
    std::array<char, kBlockIdSize> text{};
    std::copy_n(id_.begin(), std::min<size_t>(id_.size(), text.size()), text.begin());
    const auto bytes = std::as_bytes(std::span(text));
    const auto room = bytes.first(std::min<size_t>(bytes.size(), request.data_bytes));
    const auto written = static_cast<uint32_t>(ChainWriter(chain).write(room));
    answer(chain, request, kBlockOk, written);
}

bool Block::drain(bool abandon, Nanoseconds limit) {
    const Nanoseconds deadline = loop_.clock().now() + limit;
    abandon = abandon || !active();
    if (abandon) disk_->cancel();
    disk_->submit();
    reap(abandon);
    while (disk_->under_way() > 0) {
        const Nanoseconds left = deadline - loop_.clock().now();
        if (left <= 0) return false;
        mutex_.unlock();  // a dead disk keeps nobody else
        const timespec slice{0, std::min(left, kDrainSlice)};
        ::nanosleep(&slice, nullptr);
        mutex_.lock();
        reap(abandon);
        disk_->submit();
    }
    if (active() && !abandon) publish_ended();
    return true;
}

void Block::power_on() {
    write_back_ = true;
    told_bytes_ = bytes_;
}

// The driver reads the new size when it is told that there is one; one that is about to start reads it
// anyway.
void Block::look_at_size() {
    if (image_.overlay) return;  // which has the size that it was made for
    timer_ = loop_.after(kSizeInterval, [this] { look_at_size(); });
    const uint64_t bytes = DiskGeometry::bytes_now(image_.fd.get());
    MutexLock lock(mutex_);
    if (bytes == 0 || image_.path.empty()) return;
    if (bytes < usable_) trouble_.shrunk(bytes, loop_.clock().now());
    usable_ = bytes;
    bytes_ = std::max(bytes_, bytes);
    if (!active() || bytes_ == told_bytes_) return;
    told_bytes_ = bytes_;
    events().config_changed();
}

void Block::save(ByteWriter& writer) const {
    MutexLock lock(mutex_);
    writer.put(static_cast<uint8_t>(write_back_));
    writer.put(told_bytes_);
}

Result<void> Block::restore(ByteReader& reader) {
    MutexLock lock(mutex_);
    const auto write_back = reader.get<uint8_t>();
    told_bytes_ = reader.get<uint64_t>();
    if (!reader.ok() || write_back > 1) return damaged_state(name());
    write_back_ = write_back != 0;
    return {};
}

}  // namespace carrel::virtio
