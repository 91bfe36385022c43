// VcpuRunner: what a vCPU's thread does: run, answer the exit, run again.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <optional>
#include <span>

#include "vmm/base/clock.h"
#include "vmm/base/log.h"
#include "vmm/bus/bus.h"
#include "vmm/kvm/halt_statistics.h"
#include "vmm/kvm/vcpu.h"
#include "vmm/machine/board.h"
#include "vmm/machine/machine_end.h"
#include "vmm/machine/run_gate.h"
#include "vmm/machine/steal_record_x86.h"
#include "vmm/sched/lease_holder.h"
#include "vmm/sched/lease_source.h"
#include "vmm/sched/vcpu_times.h"

namespace carrel {

// Told by vCPU threads; only notes and wakes, never waits.
class RunnerListener {
  public:
    virtual ~RunnerListener() = default;
    virtual void on_end(MachineEnd end) = 0;
    virtual void on_rebuild_due() = 0;
};

// Counted by the vCPU's thread, read by any.
struct ExitCounts {
    enum Kind : uint8_t { kPort, kMmio, kInterrupted, kOther, kKinds };
    std::array<std::atomic<uint64_t>, kKinds> of{};
    void add(Kind kind) {
        of[kind].store(of[kind].load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
    }
    uint64_t get(Kind kind) const { return of[kind].load(std::memory_order_relaxed); }
};

class VcpuRunner final : public sched::ScheduledVcpu, private sched::LeaseVcpu {
  public:
    struct Options {
        const MachineConfig& config;
        Log& log;
        const Clock& clock;
    };
    // All of them outlive the runner.
    VcpuRunner(kvm::Vcpu& vcpu, Board& board, RunGate& gate, RunnerListener& listener, const Options& options)
        : vcpu_(vcpu),
          board_(board),
          gate_(gate),
          listener_(listener),
          options_(options),
          steal_(vcpu, board.memory()) {}

    // Before run(): it runs under leases. `leases` outlives the runner, whose place there ends with it.
    Result<void> take_seat(sched::LeaseSource& leases, sched::GuestId guest);
    ~VcpuRunner() override;
    VcpuRunner(const VcpuRunner&) = delete;
    VcpuRunner& operator=(const VcpuRunner&) = delete;

    void run();  // the thread's body
    // Any thread. Reaches the vCPU in KVM_RUN and where it is parked.
    void kick() override;
    // Of its halts, where it has a seat and KVM counts them. Opened before the vCPU runs: afterwards KVM
    // gives its statistics to nobody until it leaves the guest, which a halted one doesn't.
    const std::optional<kvm::HaltStatistics>& halts() const { return halts_; }
    bool seems_halted() const override { return !halts_ || halts_->read().halted_now; }
    int halt_statistics() const override { return halts_ ? halts_->fd() : -1; }
    const ExitCounts& counts() const { return counts_; }

    // Any thread. What its thread itself knows of where its time went.
    sched::TimeSources::Stamps stamps() const;

  private:
    static constexpr uint32_t kComplaints = 10;  // at once, and one a second afterwards
    enum class Next { kRun, kEnd };
    // Its place with the scheduler.
    struct Seat {
        sched::LeaseSource& leases;
        uint32_t place;
        sched::LeaseHolder lease;
    };
    bool pass_gate();
    bool stand_still();
    void step_aside();
    bool keep_to_its_cpus();
    bool begin_lease();
    // LeaseVcpu
    bool is_halted() const override { return vcpu_.is_halted(); }
    bool is_stopped() const override { return gate_.request() != RunGate::Request::kRun; }
    void on_hold() override { steal_.begin_hold(); }
    void on_held(Nanoseconds time) override { steal_.end_hold(time); }
    void finish_pending_access();
    Next answer(const kvm::Exit& exit);
    Next answer_port(const kvm::PortExit& exit);
    Next answer_mmio(const kvm::MmioExit& exit);
    Next answer_event(const kvm::SystemEventExit& exit);
    bool answer_ram(const kvm::MmioExit& exit);
    bool reach_ram(const kvm::MmioExit& exit);
    bool wait_for_memory();
    template <class Wait>
    void starve(const Wait& wait);
    void access(Bus& bus, uint64_t address, bool write, std::span<std::byte> data);
    void complain(const Bus& bus, const char* what);
    Next lose_memory();
    Next end(EndReason reason, std::string detail = {});
    Next triple_fault();
    Next fail(const kvm::FailedExit& exit);
    Next refuse(const kvm::RefusedExit& exit);
    static const char* advice_on(int error);

    kvm::Vcpu& vcpu_;
    Board& board_;
    RunGate& gate_;
    RunnerListener& listener_;
    const Options options_;
    std::atomic<int32_t> thread_{0};
    std::atomic<Nanoseconds> began_{0};
    sched::WaitStamp paused_;
    sched::WaitStamp starved_;  // of memory
    std::optional<kvm::HaltStatistics> halts_;
    StealRecord steal_;
    std::optional<Seat> seat_;     // none: it runs without leases
    bool kicked_ = true;           // something may have to be looked at before it runs on
    uint64_t denials_seen_ = 0;    // see FaultService::explain()
    bool access_pending_ = false;  // the last exit was one that KVM completes at the next KVM_RUN
    RateLimit complaints_{kComplaints, kSecond};
    ExitCounts counts_;
};

}  // namespace carrel
