// A machine's memory, and what it does about its quota (vmm/memory/fault_service.h says when).
#include <fmt/format.h>

#include <algorithm>

#include "vmm/machine/machine.h"

namespace carrel {

// The first chunk has what loaders write by themselves (tables, boot parameters); it fits in every quota.
Result<void> Machine::make_memory() {
    TRY_ASSIGN(memory_, GuestMemory::create(description_.ram, config_.backing));
    if (!config_.memory_quota) return {};
    const MemoryQuota& quota = *config_.memory_quota;
    on_limit_ = quota.on_limit;
    const uint64_t ram = description_.ram.total();
    TRY_ASSIGN(mappings_, services_.mappings.take(services_.opener, ChunkMapping::most_mappings(ram)));
    std::optional<SwapFile> file;
    if (quota.swap) {
        TRY_ASSIGN(swap_, SwapSource::open(services_.opener, *quota.swap, ram));
        TRY_ASSIGN(file, swap_.file());
    }
    TRY(memory_->set_quota(services_.opener, quota.bytes, std::move(file), services_.clock, *this));
    CHECK(memory_->window(Gpa{0}, kPageSize));
    return {};
}

Result<void> Machine::map_memory(kvm::Vm& vm) {
    TRY(vm.map(*memory_));
    const DevicePlace* const early = description_.find(DeviceKind::kEarlyConsole);
    if (early == nullptr) return {};
    if (!early_page_.valid()) {
        TRY_ASSIGN(early_page_, Mapping::map(early->size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
                                             -1, 0, "the early console's page"));
        EarlyConsole::fill(early_page_.bytes());
    }
    return vm.map_read_only(Gpa{early->base}, early_page_.bytes());
}

void Machine::check_memory() {
    if (memory_->lost()) end(MachineEnd{EndReason::kHostFailure, memory_->lost_error().sentence()});
}

void Machine::set_memory_quota(const MemoryQuota& quota) {
    if (!memory_report()) return;  // one that began without has none until it begins again
    config_.memory_quota->bytes = quota.bytes;
    on_limit_ = quota.on_limit;
    memory_->quota()->set_limit(quota.bytes);
    if (memory_report()->stuck && on_limit_ == OnMemoryLimit::kKill) on_memory_stuck();
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

// Not worth a word where it is soon over: a disk is asked for what was swapped out.
void Machine::on_memory_short() {
    if (!started_.load()) return;  // a loader was refused, and says so
    gate_.hold(true);
    kick_all();
}

void Machine::on_memory_stuck() {
    if (!started_.load()) return;
    const MemoryReport report = memory_->quota()->report();
    const bool trouble = report.swap && !report.swap->trouble.empty();
    const auto words = fmt::format("{} MiB of {} MiB{}", report.charged / kMiB, report.limit / kMiB,
                                   trouble ? ", and " + report.swap->trouble : "");
    if (on_limit_ == OnMemoryLimit::kKill) return end(MachineEnd{EndReason::kMemoryLimit, words});
    told_hold_ = true;
    services_.log.warning("memory: {} is held, {}; raise its quota to let it go on", config_.name, words);
    services_.on_hold("it has used up its memory quota, " + words);
}

void Machine::on_memory_enough() {
    gate_.hold(false);
    if (!told_hold_.exchange(false)) return;
    services_.log.warning("memory: {} goes on", config_.name);
    services_.on_hold(std::nullopt);
}

void Machine::on_memory_retry() {
    gate_.give_memory();
    post([this] { hardware_.board->memory_came(); });
}

}  // namespace carrel
