#include "devices/backends/mac_table.h"

#include <utility>

#include "vmm/base/check.h"

namespace carrel {
namespace {

uint64_t key_of(const MacAddress& address) {
    uint64_t key = 0;
    for (const uint8_t byte : address) key = key << 8 | byte;
    return key;
}

}  // namespace

bool MacTable::add_port(Port port, const MacAddress& own) {
    const auto found = entries_.find(key_of(own));
    if (found != entries_.end() && found->second.own) return false;
    entries_.insert_or_assign(key_of(own), Entry{port, true, 0});
    ports_[port].keys.reserve(kLearnedPerPort);
    return true;
}

void MacTable::remove_port(Port port) {
    std::erase_if(entries_, [port](const auto& entry) { return entry.second.port == port; });
    ports_.erase(port);
}

bool MacTable::learn(Port port, const MacAddress& address, Nanoseconds now) {
    const uint64_t key = key_of(address);
    const auto found = entries_.find(key);
    if (found == entries_.end()) {
        remember(port, key, now);
        return true;
    }
    Entry& entry = found->second;
    if (entry.own) return entry.port == port;
    entry.seen = now;
    if (entry.port == port) return true;
    // A station that has moved: it counts as its new port's.
    entries_.erase(found);
    remember(port, key, now);
    return true;
}

void MacTable::remember(Port port, uint64_t key, Nanoseconds now) {
    Learned& learned = ports_.at(port);
    const Entry entry{port, false, now};
    if (learned.keys.size() < kLearnedPerPort) {
        learned.keys.push_back(key);
        entries_.insert_or_assign(key, entry);
        return;
    }
    const uint64_t before = std::exchange(learned.keys[learned.oldest], key);
    learned.oldest = (learned.oldest + 1) % kLearnedPerPort;
    const auto found = entries_.find(before);
    if (found == entries_.end() || found->second.port != port || found->second.own) {
        entries_.insert_or_assign(key, entry);
        return;
    }
    auto node = entries_.extract(found);  // used again: a flood of addresses allocates nothing
    node.key() = key;
    node.mapped() = entry;
    entries_.insert(std::move(node));
}

std::optional<MacTable::Port> MacTable::find(const MacAddress& address, Nanoseconds now) const {
    const auto found = entries_.find(key_of(address));
    if (found == entries_.end()) return std::nullopt;
    const Entry& entry = found->second;
    if (!entry.own && now - entry.seen > kAge) return std::nullopt;
    return entry.port;
}

}  // namespace carrel
