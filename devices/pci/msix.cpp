#include "devices/pci/msix.h"

#include <algorithm>
#include <cstring>

#include "vmm/base/check.h"

namespace carrel::pci {

Result<Msix> Msix::create(MessageInterrupts& source, uint16_t vectors) {
    CHECK(vectors >= 1 && vectors <= kMostVectors);
    std::vector<std::unique_ptr<MessageInterrupt>> lines;
    for (uint16_t i = 0; i < vectors; ++i) {
        TRY_ASSIGN(auto line, source.create());
        lines.push_back(std::move(line));
    }
    return Msix(std::move(lines));
}

MsiMessage Msix::message(uint16_t vector) const {
    const MsixEntry& entry = entries_[vector];
    return {uint64_t{entry.address_high} << 32 | entry.address_low, entry.data};
}

// What came while the vector was masked, or on its way to KVM (6.8.2.5).
void Msix::deliver_pending(uint16_t vector) {
    const uint64_t bit = uint64_t{1} << vector;
    if (!enabled() || masked(vector) || !ready(vector) || (pending_ & bit) == 0) return;
    pending_ &= ~bit;
    lines_[vector]->signal();
}

std::optional<Msix::Route> Msix::next_route(uint16_t from) const {
    for (uint16_t vector = from; enabled() && vector < vectors(); ++vector)
        if (!masked(vector) && !ready(vector)) return Route{vector, lines_[vector].get(), message(vector)};
    return std::nullopt;
}

void Msix::routed(const Route& route, bool good) {
    routes_[route.vector] = good ? std::optional(route.message) : std::nullopt;
    deliver_pending(route.vector);
}

void Msix::set_control(uint16_t control) {
    control_ = control;
    for (uint16_t i = 0; i < vectors(); ++i) deliver_pending(i);
}

void Msix::read_table(uint64_t offset, std::span<std::byte> data) const {
    const auto table = std::as_bytes(std::span(entries_));
    for (std::byte& byte : data) {
        byte = offset < table.size() ? table[offset] : std::byte{0};
        ++offset;
    }
}

void Msix::write_table(uint64_t offset, std::span<const std::byte> data) {
    const auto table = std::as_writable_bytes(std::span(entries_));
    if (data.empty() || offset >= table.size()) return;
    const size_t length = std::min<size_t>(data.size(), table.size() - offset);
    std::memcpy(table.data() + offset, data.data(), length);
    const auto first = static_cast<uint16_t>(offset / sizeof(MsixEntry));
    const auto last = static_cast<uint16_t>((offset + length - 1) / sizeof(MsixEntry));
    for (uint16_t vector = first; vector <= last; ++vector) {
        entries_[vector].control &= MsixEntry::kMasked;  // the rest is reserved, 6.8.2.9
        deliver_pending(vector);
    }
}

void Msix::read_pending(uint64_t offset, std::span<std::byte> data) const {
    for (std::byte& byte : data) {
        byte = offset < sizeof pending_ ? static_cast<std::byte>(pending_ >> offset * 8) : std::byte{0};
        ++offset;
    }
}

void Msix::signal(uint16_t vector) {
    if (vector >= vectors()) return;
    if (masked(vector) || !ready(vector)) {
        pending_ |= uint64_t{1} << vector;
    } else {
        lines_[vector]->signal();
    }
}

void Msix::reset() {
    std::ranges::fill(entries_, MsixEntry{});
    std::ranges::fill(routes_, std::nullopt);
    pending_ = 0;
    control_ = 0;
}

void Msix::save(ByteWriter& writer) const {
    writer.put_bytes(std::as_bytes(std::span(entries_)));
    writer.put(pending_);
}

void Msix::restore(ByteReader& part, uint16_t control) {
    const auto table = std::as_writable_bytes(std::span(entries_));
    const auto saved = part.get_bytes(table.size());
    const uint64_t pending = part.get<uint64_t>();
    const bool possible = vectors() == kMostVectors || pending >> vectors() == 0;
    if (saved.size() != table.size() || !possible) return part.fail();
    std::memcpy(table.data(), saved.data(), saved.size());
    for (MsixEntry& entry : entries_) entry.control &= MsixEntry::kMasked;
    pending_ = pending;
    set_control(control);
}

}  // namespace carrel::pci
