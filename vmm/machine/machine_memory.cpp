// What a machine does about its memory quota (vmm/memory/fault_service.h says when).
#include <fmt/format.h>

#include <algorithm>

#include "vmm/machine/machine.h"

namespace carrel {

void Machine::set_memory_quota(uint64_t bytes) {
    config_.memory_quota->bytes = bytes;
    memory_->quota()->set_limit(bytes);
    if (asked_back_) ask_back();
}

std::optional<MemoryReport> Machine::memory_report() const {
    if (!memory_ || memory_->quota() == nullptr) return std::nullopt;
    return memory_->quota()->report();
}

// Before the limit, not at it: a guest that is held can't inflate its balloon.
void Machine::on_memory_near() {
    if (!started_.load()) return;
    post([this] {
        asked_back_ = true;
        ask_back();
    });
}

// So that what is left to it is less than its quota, by a sixteenth for what is charged by whole chunks.
void Machine::ask_back() {
    const uint64_t wanted = description_.ram.total() - config_.memory_quota->bytes / 16 * 15;
    if (virtio::Balloon* const balloon = hardware_.board->balloon())
        balloon->set_target(
            static_cast<uint32_t>(std::max(sources_.balloon.size, wanted) / virtio::kBalloonPageSize));
}

void Machine::on_memory_short() {
    if (!started_.load()) return;  // a loader was refused, and says so
    const MemoryReport report = memory_->quota()->report();
    const auto words = fmt::format("{} MiB of {} MiB", report.charged / kMiB, report.limit / kMiB);
    if (config_.memory_quota->on_limit == OnMemoryLimit::kKill)
        return end(MachineEnd{EndReason::kMemoryLimit, words});
    gate_.hold(true);
    kick_all();
    services_.log.warning("memory: {} is held, {}; raise its quota to let it go on", config_.name, words);
}

void Machine::on_memory_enough() {
    gate_.hold(false);
    services_.log.warning("memory: {} goes on", config_.name);
}

void Machine::on_memory_retry() {
    gate_.give_memory();
    post([this] { hardware_.board->memory_came(); });
}

}  // namespace carrel
