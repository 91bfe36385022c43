#include "devices/virtio/block/block.h"

#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <numeric>

#include "devices/virtio/queue/chain_io.h"

namespace carrel::virtio {

Result<std::unique_ptr<Block>> Block::create(const Clock& clock, const DiskImage& image, std::string id) {
    TRY_ASSIGN(auto ring, DiskRing::create(image.fd.get(), kQueueSize));
    return std::make_unique<Block>(clock, image, std::move(id), std::move(ring));
}

Block::Block(const Clock& clock, const DiskImage& image, std::string id, std::unique_ptr<DiskRing> ring)
    : clock_(clock), image_(image), id_(std::move(id)), ring_(std::move(ring)) {
    MutexLock lock(mutex_);
    std::iota(free_.begin(), free_.end(), uint16_t{0});
}

Block::~Block() {
    reset();
    // What even the reset couldn't wait for; the kernel cancels what it can when the ring goes.
    MutexLock lock(mutex_);
    for (auto& pending : pending_)
        if (pending) pending->chain.abandon();
}

uint64_t Block::features() const {
    return kBlockSegMax | kBlockBlkSize | kBlockFlush | (image_.read_only ? kBlockReadOnly : 0);
}

void Block::read_config(uint64_t offset, std::span<std::byte> data) {
    BlockConfig config{};
    config.capacity = image_.bytes / kSectorSize;
    config.seg_max = kSegments;
    config.blk_size = image_.block_size;
    const auto bytes = std::as_bytes(std::span(&config, 1));
    if (offset >= bytes.size()) return;
    const size_t length = std::min<size_t>(data.size(), bytes.size() - offset);
    std::memcpy(data.data(), bytes.data() + offset, length);
}

void Block::serve(uint16_t, DescriptorChain chain) {
    auto request = BlockRequest::read(chain);
    if (!request) return chain.complete(0);
    switch (request->header.type) {
        case kBlockIn:
        case kBlockOut:
            if (!possible(*request)) return answer(std::move(chain), *request, kBlockIoError, 0);
            return start(std::move(chain), std::move(*request));
        case kBlockFlushRequest: return start(std::move(chain), std::move(*request));
        case kBlockGetId: return get_id(std::move(chain), *request);
        default: return answer(std::move(chain), *request, kBlockUnsupported, 0);
    }
}

// 5.2.6.2: whole sectors, inside the disk; a read-only one isn't written whatever its driver sends.
bool Block::possible(const BlockRequest& request) const {
    const uint64_t sectors = image_.bytes / kSectorSize;
    if (request.header.type == kBlockOut && image_.read_only) return false;
    return request.data_bytes != 0 && request.data_bytes % kSectorSize == 0 &&
           request.header.sector <= sectors &&
           request.data_bytes / kSectorSize <= sectors - request.header.sector;
}

// For an image in memory: bytes, or -errno.
int32_t Block::transfer_now(const BlockRequest& request) const {
    const auto count = static_cast<int>(request.data.size());
    const auto offset = static_cast<off_t>(request.header.sector * kSectorSize);
    ssize_t done = 0;
    switch (request.header.type) {
        case kBlockIn: done = ::preadv(image_.fd.get(), request.data.data(), count, offset); break;
        case kBlockOut: done = ::pwritev(image_.fd.get(), request.data.data(), count, offset); break;
        default: break;  // there is no medium to flush to
    }
    return static_cast<int32_t>(done < 0 ? -errno : done);
}

// There is a free place and room in the ring: the queue has no more chains than these.
void Block::start(DescriptorChain chain, BlockRequest request) {
    if (image_.in_memory && request.data_bytes <= DiskRing::kMostCopied) {
        const int32_t result = transfer_now(request);
        return finish(Pending{std::move(chain), std::move(request)}, result);
    }
    const uint16_t place = free_[--free_count_];
    Pending& pending = pending_[place].emplace(Pending{std::move(chain), std::move(request)});
    const uint64_t offset = pending.request.header.sector * kSectorSize;
    const bool write_back = (accepted() & kBlockFlush) != 0;
    switch (pending.request.header.type) {
        case kBlockIn: return ring_->read(pending.request.data, offset, place);
        case kBlockOut: return ring_->write(pending.request.data, offset, !write_back, place);
        default: return ring_->sync(place);
    }
}

void Block::end_turn(uint16_t queue) {
    if (!ring_->submit()) events().again(queue);
}

void Block::wake() {
    MutexLock lock(mutex_);
    if (ring_->under_way() == 0) return;
    // Not active: what a reset couldn't wait for ends now, in memory that isn't the disk's any more.
    reap(!active());
    if (active()) {
        end_turn(0);
        publish(0);
    }
}

void Block::reap(bool abandon) {
    while (const auto ended = ring_->reap()) {
        Pending pending = std::move(*pending_[ended->tag]);
        pending_[ended->tag].reset();
        free_[free_count_++] = static_cast<uint16_t>(ended->tag);
        if (abandon) {
            pending.chain.abandon();
        } else {
            finish(std::move(pending), ended->result);
        }
    }
}

void Block::finish(Pending pending, int32_t result) {
    const BlockRequest& request = pending.request;
    const bool data = request.header.type != kBlockFlushRequest;
    // Fewer bytes than asked for: the file has become shorter, or its file system is full.
    const bool good = data ? result >= 0 && static_cast<uint32_t>(result) == request.data_bytes : result == 0;
    const bool read = request.header.type == kBlockIn;
    answer(std::move(pending.chain), request, good ? kBlockOk : kBlockIoError,
           read && result > 0 ? static_cast<uint32_t>(result) : 0);
}

// `data` bytes of writable data are in place; the status is behind all of it.
void Block::answer(DescriptorChain chain, const BlockRequest& request, BlockStatus status, uint32_t data) {
    request.status[0] = static_cast<std::byte>(status);
    chain.wrote(request.status);
    const bool whole = chain.writable_bytes() - 1 == data;
    chain.complete(whole ? data + 1 : std::max<uint32_t>(data, 1));
}

void Block::get_id(DescriptorChain chain, const BlockRequest& request) {
    std::array<char, kBlockIdSize> text{};
    std::copy_n(id_.begin(), std::min<size_t>(id_.size(), text.size()), text.begin());
    const auto bytes = std::as_bytes(std::span(text));
    const auto room = bytes.first(std::min<size_t>(bytes.size(), request.data_bytes));
    const auto written = static_cast<uint32_t>(ChainWriter(chain).write(room));
    answer(std::move(chain), request, kBlockOk, written);
}

bool Block::drain(bool abandon, Nanoseconds limit) {
    const Nanoseconds deadline = clock_.now() + limit;
    abandon = abandon || !active();
    ring_->submit();
    reap(abandon);
    while (ring_->under_way() > 0) {
        const Nanoseconds left = deadline - clock_.now();
        if (left <= 0) return false;
        ring_->wait(left);
        reap(abandon);
    }
    if (active() && !abandon) publish(0);
    return true;
}

}  // namespace carrel::virtio
