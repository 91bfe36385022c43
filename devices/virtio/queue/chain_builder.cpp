#include "devices/virtio/queue/chain_builder.h"

namespace carrel::virtio {
namespace {
constexpr Complaint kNotRam = "a descriptor's buffer isn't wholly inside one range of RAM";
}  // namespace

ChainBuilder::ChainBuilder(GuestMemory& memory, uint16_t limit, bool touched)
    : memory_(memory),
      limit_(limit),
      touched_(touched),
      pieces_(std::make_unique_for_overwrite<iovec[]>(limit)) {}

void ChainBuilder::begin() {
    descriptors_ = count_ = readable_count_ = 0;
    readable_bytes_ = writable_bytes_ = 0;
    writable_seen_ = false;
}

Complaint ChainBuilder::add(uint64_t address, uint32_t length, bool writable) {
    // 2.7.5.3.1 and 2.8.17: no chain is longer than the queue. A loop ends here, too.
    if (descriptors_ == limit_) return "a chain has more descriptors than the queue";
    ++descriptors_;
    // 2.7.4.2 and 2.8.17: first what we read, then what we write.
    if (!writable && writable_seen_) return "a readable descriptor comes after a writable one";
    writable_seen_ = writable;
    // 2.7.5.2; one byte less than there, for the used length has 32 bits (2.7.8).
    const uint64_t total = uint64_t{readable_bytes_} + writable_bytes_ + length;
    if (total > UINT32_MAX) return "a chain is longer than 4 GiB less one byte";
    // 2.7.13.1 and 2.8.4 allow a length of 0. There is nothing to touch, so the address doesn't matter.
    if (length == 0) return nullptr;
    return writable ? add_writable(Gpa{address}, length) : add_readable(Gpa{address}, length);
}

Complaint ChainBuilder::add_readable(Gpa gpa, uint32_t length) {
    auto bytes = memory_.slice(gpa, length);
    if (!bytes) return memory_.short_of(gpa, length) ? kNoMemory : kNotRam;
    // iovec has no const; Pieces gives it back (2.7.5.1: we don't write what is readable).
    pieces_[count_++] = {const_cast<std::byte*>(bytes->detach().data()), length};
    ++readable_count_;
    readable_bytes_ += length;
    return nullptr;
}

Complaint ChainBuilder::add_writable(Gpa gpa, uint32_t length) {
    writable_bytes_ += length;
    if (!touched_) return add_place(gpa, length);
    auto window = memory_.window(gpa, length);
    if (!window) return memory_.short_of(gpa, length) ? kNoMemory : kNotRam;
    pieces_[count_++] = {window->detach().data(), length};
    return nullptr;
}

Complaint ChainBuilder::add_place(Gpa gpa, uint32_t length) {
    const auto bytes = memory_.place_of(gpa, length);
    if (!bytes) return kNotRam;
    pieces_[count_++] = {bytes->data(), length};
    return nullptr;
}

void ChainBuilder::drop() {
    for (const iovec& piece : touched_ ? pieces() : pieces().first(readable_count_))
        memory_.finish_read({static_cast<std::byte*>(piece.iov_base), piece.iov_len});
    begin();
}

}  // namespace carrel::virtio
