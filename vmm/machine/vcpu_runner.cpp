#include "vmm/machine/vcpu_runner.h"

#include <unistd.h>

#include <algorithm>
#include <cstring>

#include "vmm/base/host_cpus.h"
#include "vmm/memory/fault_service.h"
#include "vmm/observe/failure_report.h"

namespace carrel {

Result<void> VcpuRunner::take_seat(sched::LeaseSource& leases, sched::GuestId guest) {
    if (auto halts = kvm::HaltStatistics::open(vcpu_.fd()); halts.ok()) halts_.emplace(std::move(*halts));
    TRY_ASSIGN(const uint32_t place, leases.add_vcpu(guest, *this));
    seat_.emplace(Seat{leases, place, sched::LeaseHolder(leases.board(), place, *this)});
    return {};
}

VcpuRunner::~VcpuRunner() {
    if (seat_) seat_->leases.remove_vcpu(seat_->place);
}

sched::TimeSources::Stamps VcpuRunner::stamps() const {
    sched::TimeSources::Stamps stamps;
    stamps.thread = thread_.load(std::memory_order_acquire);
    stamps.began = began_.load(std::memory_order_relaxed);
    stamps.memory = starved_.total(sched::monotonic_time());
    stamps.paused = paused_.total(sched::monotonic_time());
    if (seat_) stamps.quota = seat_->leases.waited_for_quota(seat_->place);
    return stamps;
}

// False: they have gone since the machine was made.
bool VcpuRunner::keep_to_its_cpus() {
    if (options_.config.cpus_allowed.empty()) return true;
    const auto kept = keep_to_cpus(options_.config.cpus_allowed, "--cpus-allowed");
    if (!kept.ok()) (void)end(EndReason::kHostFailure, kept.error().sentence());
    return kept.ok();
}

// False: the host has no timer for it.
bool VcpuRunner::begin_lease() {
    if (!seat_) return true;
    const auto begun = seat_->lease.begin();
    if (!begun.ok()) (void)end(EndReason::kHostFailure, begun.error().sentence());
    return begun.ok();
}

void VcpuRunner::kick() {
    vcpu_.kick();
    if (seat_) seat_->lease.nudge();
}

void VcpuRunner::run() {
    vcpu_.bind_to_this_thread();
    began_.store(sched::monotonic_time(), std::memory_order_relaxed);
    thread_.store(::gettid(), std::memory_order_release);
    bool going = keep_to_its_cpus() && begin_lease();
    while (going && pass_gate()) {
        access_pending_ = false;
        const kvm::Exit exit = vcpu_.run();
        board_.drain_coalesced();
        going = answer(exit) == Next::kRun;
        const uint32_t every = options_.config.rebuild_every;
        if (every != 0 && vcpu_.exits() % every == 0) listener_.on_rebuild_due();
    }
    if (seat_) seat_->lease.end();
    vcpu_.unbind();
}

// The order makes a kick impossible to lose: who kicks sets the request (or takes the lease) first and the
// flag second, we clear the flag first (here and in answer()) and look at the request second.
bool VcpuRunner::pass_gate() {
    for (;;) {
        while (gate_.request() != RunGate::Request::kRun) {
            finish_pending_access();
            if (!stand_still()) return false;
            vcpu_.clear_kick();
            kicked_ = true;
        }
        if (!kicked_) return true;
        kicked_ = seat_ && !seat_->lease.look();
    }
}

// While it stands still others may have its CPU, and it asks before it runs on.
void VcpuRunner::step_aside() {
    if (!seat_) return;
    seat_->lease.step_aside();
    kicked_ = true;
}

// A hold is for want of memory; guest time runs on in it (DESIGN.md section 7).
bool VcpuRunner::stand_still() {
    bool go_on = false;
    if (gate_.request() == RunGate::Request::kHold) {
        starve([&] { go_on = gate_.park(); });
        if (go_on) vcpu_.tell_paused();
        return go_on;
    }
    step_aside();
    paused_.begin(sched::monotonic_time());
    go_on = gate_.park();
    paused_.end(gate_.let_go_at());
    return go_on;
}

// The guest is told how long it stood, as for every wait that it can't see (vmm/machine/steal_record_x86.h).
template <class Wait>
void VcpuRunner::starve(const Wait& wait) {
    step_aside();
    steal_.begin_hold();
    const Nanoseconds since = sched::monotonic_time();
    starved_.begin(since);
    wait();
    const Nanoseconds until = std::max(gate_.let_go_at(), since);
    starved_.end(until);
    steal_.end_hold(until - since);  // what follows is a wait for a host CPU, and KVM's to add
}

// Until it's done, registers hold a half-executed instruction (api.rst, "Note" under KVM_EXIT_IO and
// KVM_EXIT_MMIO). One guest instruction may need several accesses.
void VcpuRunner::finish_pending_access() {
    while (access_pending_) {
        const kvm::Exit exit = vcpu_.complete_pending_access();
        access_pending_ = false;
        board_.drain_coalesced();  // string output may have gone on until it was interrupted
        if (std::holds_alternative<kvm::InterruptedExit>(exit)) return;
        if (answer(exit) == Next::kEnd) return;
    }
}

VcpuRunner::Next VcpuRunner::answer(const kvm::Exit& exit) {
    struct Visitor {
        VcpuRunner& self;
        Next operator()(const kvm::PortExit& e) { return self.answer_port(e); }
        Next operator()(const kvm::MmioExit& e) { return self.answer_mmio(e); }
        Next operator()(const kvm::ShutdownExit&) { return self.triple_fault(); }
        Next operator()(const kvm::FailedExit& e) { return self.fail(e); }
        Next operator()(const kvm::RefusedExit& e) { return self.refuse(e); }
        Next operator()(const kvm::InterruptedExit&) {
            self.counts_.add(ExitCounts::kInterrupted);
            self.vcpu_.clear_kick();
            self.kicked_ = true;
            return Next::kRun;
        }
        Next operator()(const kvm::SystemEventExit& e) { return self.answer_event(e); }
        Next operator()(const kvm::HaltExit&) { return other(); }
        Next operator()(const kvm::IgnoredExit&) { return other(); }
        Next other() {
            self.counts_.add(ExitCounts::kOther);
            return Next::kRun;
        }
    };
    return std::visit(Visitor{*this}, exit);
}

// Rule 7 (DESIGN.md section 6): string I/O keeps the port and advances the data.
VcpuRunner::Next VcpuRunner::answer_port(const kvm::PortExit& exit) {
    counts_.add(ExitCounts::kPort);
    access_pending_ = true;
    if (exit.write && board_.transmit(exit.port, exit.size, exit.data)) return Next::kRun;
    for (uint32_t i = 0; i < exit.count; ++i) {
        access(board_.ports(), exit.port, exit.write, exit.data.subspan(size_t{i} * exit.size, exit.size));
    }
    return Next::kRun;
}

VcpuRunner::Next VcpuRunner::answer_mmio(const kvm::MmioExit& exit) {
    counts_.add(ExitCounts::kMmio);
    access_pending_ = true;
    if (answer_ram(exit)) return board_.memory().lost() ? lose_memory() : Next::kRun;
    if (gate_.request() == RunGate::Request::kStop) return Next::kEnd;  // it waited for memory until then
    access(board_.mmio(), raw(exit.address), exit.write, exit.data);
    return Next::kRun;
}

void VcpuRunner::access(Bus& bus, uint64_t address, bool write, std::span<std::byte> data) {
    const uint64_t unmapped = bus.unmapped();
    const size_t lane = vcpu_.id() + 1;  // 0 is everybody else's
    if (write) {
        bus.write(address, data, lane);
    } else {
        bus.read(address, data, lane);
    }
    const bool missed = bus.unmapped() != unmapped;
    if (missed && options_.log.enabled(LogLevel::kDebug)) complain(bus, write ? "written" : "read");
}

void VcpuRunner::complain(const Bus& bus, const char* what) {
    uint64_t left_out = 0;
    if (!complaints_.allow(options_.clock.now(), left_out)) return;
    options_.log.debug("vCPU {}: no device answers at {} {:#x}, which was {} ({} more like this)", vcpu_.id(),
                       &bus == &board_.ports() ? "port" : "address", bus.last_unmapped(), what, left_out);
}

// KVM comes to us with a RAM address when its emulator found no page there: the host had none, or the memory
// quota denied it (KVM-FACTS.md). Touching it ourselves tries again, and makes the failure known
// (crash_registry). In the middle of an instruction we aren't parked, so a pause has to wait, too.
bool VcpuRunner::answer_ram(const kvm::MmioExit& exit) {
    for (;;) {
        const uint64_t given = gate_.memory_given();
        if (reach_ram(exit)) return true;
        if (!board_.memory().short_of(exit.address, exit.data.size())) return false;
        starve([&] { gate_.wait_memory(given, false); });
        if (gate_.request() == RunGate::Request::kStop) return false;
    }
}

bool VcpuRunner::reach_ram(const kvm::MmioExit& exit) {
    if (exit.write) return board_.memory().write_bytes(exit.address, exit.data);
    return board_.memory().read_bytes(exit.address, exit.data);
}

VcpuRunner::Next VcpuRunner::answer_event(const kvm::SystemEventExit& exit) {
    switch (exit.type) {
        case KVM_SYSTEM_EVENT_SHUTDOWN: return end(EndReason::kPowerOff);
        case KVM_SYSTEM_EVENT_RESET: return end(EndReason::kReset);
        case KVM_SYSTEM_EVENT_CRASH: return end(EndReason::kPanic, "the guest told KVM that it crashed");
        default:
            return end(EndReason::kHostFailure, "KVM reports a system event of type " +
                                                    std::to_string(exit.type) +
                                                    ", which carrel doesn't know");
    }
}

VcpuRunner::Next VcpuRunner::lose_memory() {
    return end(EndReason::kHostFailure, board_.memory().lost_error().sentence());
}

VcpuRunner::Next VcpuRunner::end(EndReason reason, std::string detail) {
    listener_.on_end(MachineEnd{reason, std::move(detail)});
    return Next::kEnd;
}

VcpuRunner::Next VcpuRunner::triple_fault() {
    return end(EndReason::kTripleFault, observe::triple_fault_report(vcpu_, board_.memory()));
}

VcpuRunner::Next VcpuRunner::fail(const kvm::FailedExit& exit) {
    return end(EndReason::kHostFailure, observe::failure_report(exit, vcpu_, board_.memory()));
}

const char* VcpuRunner::advice_on(int error) {
    switch (error) {
        case EFAULT: return "guest memory couldn't be had: the host is out of memory or huge pages";
        case EAGAIN:
            return "KVM needs a thread of its own and may not start one: raise the limit on processes "
                   "(ulimit -u, the "
                   "cgroup's pids.max)";
        default: return "";
    }
}

// Whether KVM_RUN failed since the memory quota denied something; if it still does, until it doesn't.
bool VcpuRunner::wait_for_memory() {
    const FaultService* const quota = board_.memory().quota();
    if (quota == nullptr) return false;
    const uint64_t given = gate_.memory_given();
    const auto refusal = quota->explain(denials_seen_);
    if (refusal == FaultService::Refusal::kNotOurs) return false;
    if (refusal == FaultService::Refusal::kDenied) {
        starve([&] { gate_.wait_memory(given, true); });
        vcpu_.tell_paused();
    }
    return true;
}

VcpuRunner::Next VcpuRunner::refuse(const kvm::RefusedExit& exit) {
    if (exit.error == EFAULT && wait_for_memory()) return Next::kRun;
    const Error error =
        os_error(exit.error, "KVM can't run vCPU " + std::to_string(vcpu_.id()), advice_on(exit.error));
    return end(EndReason::kHostFailure, error.sentence());
}

}  // namespace carrel
