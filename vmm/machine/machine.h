// Machine: one virtual machine's life. Assembles it, owns its memory, chips and vCPU threads, ends it.
//
//   open ──► load ──► connect ──► start ──► running ◄──► paused
//   └─────── create ────────┘                 │
//                                             └──► ended (for one reason, the first)
//                                                    └──► taken apart, destroyed: threads joined, all given
//                                                    back
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "boot/loader.h"
#include "vmm/base/byte_sink.h"
#include "vmm/base/log.h"
#include "vmm/base/mutex.h"
#include "vmm/base/opener.h"
#include "vmm/base/spawner.h"
#include "vmm/base/thread.h"
#include "vmm/kvm/guest_time_x86.h"
#include "vmm/kvm/kvm.h"
#include "vmm/machine/board.h"
#include "vmm/machine/disk_pool.h"
#include "vmm/machine/machine_console.h"
#include "vmm/machine/machine_end.h"
#include "vmm/machine/machine_statistics.h"
#include "vmm/machine/run_gate.h"
#include "vmm/machine/swap_source.h"
#include "vmm/machine/vcpu_runner.h"
#include "vmm/machine/vcpu_sampler.h"
#include "vmm/memory/fault_service.h"
#include "vmm/memory/mapping_budget.h"
#include "vmm/model/machine_config.h"
#include "vmm/model/machine_description.h"

namespace carrel {

// What a machine uses of its host; all of it outlives the machine.
struct MachineServices {
    Opener& opener;
    Spawner& spawner;
    EventLoop& io;
    Log& log;
    const Clock& clock;
    ByteSink& console;  // the guest's console output, already on its way to a person
    RoomListener& input_room;
    NetSwitches& switches;
    DiskPool& disks;
    MappingBudget& mappings;
    boot::PayloadCache* payloads;  // where unpacked kernels are kept; null: nowhere
    // Its vCPUs run under leases for `scheduled_as`; null: as the host's kernel lets them.
    sched::LeaseSource* leases;
    sched::GuestId scheduled_as;
    EventLoop::Charge charge;      // for what the process's threads do for it; null: nobody's account
    std::function<void()> on_end;  // any thread, once; don't destroy the machine inside
    // Any thread: its vCPUs are held for want of memory, and why; or nothing: no longer.
    std::function<void(std::optional<std::string> why)> on_hold;
};

// Threads: everything on the io thread, or while that doesn't run; but load() anywhere, since it takes long,
// with nothing else called meanwhile; end() by any thread; and the destructor anywhere after take_apart().
class Machine final : public PowerListener,
                      public PanicListener,
                      public RunnerListener,
                      public MemoryListener,
                      public ByteReceiver {
  public:
    // A machine that is ready to start. `config` is checked. Errors: the files', the host's, KVM's.
    static Result<std::unique_ptr<Machine>> create(const MachineConfig& config,
                                                   const MachineServices& services);
    // The same in three steps. What its devices are connected to is opened;
    static Result<std::unique_ptr<Machine>> open(const MachineConfig& config,
                                                 const MachineServices& services);
    Result<void> load();     // the virtual machine is made and its guest loaded: up to a second;
    Result<void> connect();  // and the devices are there.
    Machine(MachineConfig config, MachineServices services, kvm::Kvm kvm);  // use create()
    ~Machine() override;
    Machine(const Machine&) = delete;
    Machine& operator=(const Machine&) = delete;

    Result<void> start();
    // Stops all vCPUs, their pending accesses finished, all I/O, and the guest's clocks. False: what is under
    // way hasn't ended, and nothing new begins. Ask again, until it is true, or an error after kPatience:
    // then all runs on. The first call waits a little, the others not at all.
    Result<bool> pause();
    static constexpr Nanoseconds kFirstWait = 20 * kMillisecond;
    static constexpr Nanoseconds kPatience = 5 * kSecond;
    // Lets them go on, the clocks from where they stood, or (`clocks_ran`) as if they had never stopped.
    Result<void> resume(bool clocks_ran = false);
    bool paused() const { return time_.has_value(); }
    // The whole process stood still, which the guest's clock watchdogs are to know.
    void tell_stood();
    // The run has ended: joins the vCPU threads. Afterwards nothing of the guest's output is on its way any
    // more.
    void stop();
    // After that. False: something that its devices have begun hasn't ended within `limit`, and may still
    // write into its memory. To be asked again, for a while: take_apart() doesn't wait.
    bool abandon_io(Nanoseconds limit) { return hardware_.board->abandon_io(limit); }
    // It has been stopped, or never was started: gives up its devices and what those are connected to. Of the
    // rest, KVM's part takes its time to go (vmm/kvm/teardown.h), so that is better done elsewhere.
    void take_apart();
    // False: the guest doesn't listen to it now.
    bool press_power_button() { return hardware_.board->press_power_button(); }
    // Ends the run, if nothing has ended it before.
    void end(MachineEnd end) EXCLUDES(mutex_);
    std::optional<MachineEnd> ended() const EXCLUDES(mutex_);
    // Ends the run if the host couldn't give a page of guest memory to one of our threads.
    void check_memory();

    // All that the guest can see, memory apart; vCPUs stopped.
    Result<std::vector<std::byte>> save() const;
    // Takes the chips and vCPUs apart and builds them anew from their saved bytes, in the running guest.
    Result<void> rebuild();

    // While it runs, what is asked of its devices; it has such a device.
    void set_balloon(uint64_t bytes);
    void set_disk_rate(size_t place, const RateConfig& rate) {
        sources_.disks.at(place).throttle->change(rate);
    }
    void set_net_rate(size_t place, const RateConfig& rate);

    MachineStatistics statistics() const;
    // Where the time of each vCPU went, in the order of their ids; kSettle of VcpuSampler between the two
    // calls.
    void settle_vcpus();
    std::vector<std::optional<VcpuSample>> sample_vcpus();
    std::vector<uint64_t> vcpu_exits() const;  // of each, to userspace
    // The process ends next: see vmm/kvm/teardown.h. What is returned must stay open.
    static Result<Fd> defer_teardown(std::span<const Machine* const> machines);
    const boot::BootResult& boot_result() const { return boot_; }
    const std::string& cmdline() const { return cmdline_; }

    // ByteReceiver: input for the guest's console.
    size_t room() override { return hardware_.board->console_input().room(); }
    void receive(std::span<const std::byte> bytes) override {
        hardware_.board->console_input().receive(bytes);
    }
    // Of the terminal that shows it; a virtio console's driver is told.
    void resize_console(WindowSize size);

    // PowerListener, PanicListener, RunnerListener: from devices and vCPU threads.
    void on_power_off() override { end(MachineEnd{EndReason::kPowerOff, {}}); }
    void on_reset() override;
    void on_panic() override;
    void on_crash_kernel() override;
    void on_end(MachineEnd end) override { this->end(std::move(end)); }
    void on_rebuild_due() override;

    // How much it may occupy from now on, and what happens at that; of one that began with a quota. Both at
    // once: a larger one lets it go on, and one that is held is killed where that is what is to be.
    void set_memory_quota(const MemoryQuota& quota);
    std::optional<MemoryReport> memory_report() const;  // nothing: it has no quota

    // MemoryListener: from any thread.
    void on_memory_near() override;
    void on_memory_short() override;
    void on_memory_stuck() override;
    void on_memory_given() override { gate_.give_memory(); }
    void on_memory_retry() override;
    void on_memory_enough() override;

  private:
    // KVM's side and the chips: one piece, since a rebuild makes the second one before it gives up the first.
    struct Hardware {
        std::unique_ptr<kvm::Vm> vm;
        std::vector<std::unique_ptr<kvm::Vcpu>> vcpus;  // in the order of APIC ids
        std::unique_ptr<Board> board;                   // goes first: its lines and its ring are the Vm's
    };

    Result<void> load_guest();
    Result<void> make_memory();
    void post(std::function<void()> task);
    void ask_back();
    Result<void> make_vm(Hardware& hardware);
    Result<void> set_up_vcpus(Hardware& hardware);
    Result<void> agree_on_tsc(kvm::Vcpu& vcpu);
    Result<void> map_memory(kvm::Vm& vm);
    Result<void> make_board(Hardware& hardware);
    Result<void> restore(ByteReader& reader);
    void kick_all() EXCLUDES(mutex_);
    void join_all() EXCLUDES(mutex_);
    Result<bool> stand_still(Nanoseconds limit);
    bool vcpus_park(Nanoseconds limit);
    void tell_paused();
    void go_on();
    Result<void> start_threads() EXCLUDES(mutex_);

    MachineConfig config_;
    MachineServices services_;
    kvm::Kvm kvm_;
    MachineDescription description_;
    boot::BootResult boot_;
    std::string cmdline_;
    MachineConsole console_;
    WindowSize window_;

    DeviceSources sources_;
    SwapSource swap_;
    MappingBudget::Share mappings_;
    std::unique_ptr<GuestMemory> memory_;
    Mapping early_page_;  // what the guest reads at the early console
    Hardware hardware_;   // goes before the memory is unmapped
    std::optional<Nanoseconds> pausing_since_;
    std::optional<kvm::GuestTime> time_;  // while paused
    RunGate gate_;
    std::vector<std::unique_ptr<VcpuRunner>> runners_;
    std::vector<VcpuSampler> samplers_;  // of the runners
    std::vector<Thread> threads_;
    MachineStatistics past_;  // of the hardware before a rebuild
    std::atomic<bool> rebuild_posted_{false};
    std::atomic<bool> started_{false};
    std::atomic<OnMemoryLimit> on_limit_{OnMemoryLimit::kHold};
    std::atomic<bool> told_hold_{false};
    bool asked_back_ = false;  // its balloon, for memory
    // A posted task may come after the end of this (a restart), and then does nothing.
    const std::shared_ptr<char> alive_ = std::make_shared<char>();

    mutable Mutex mutex_;
    std::optional<MachineEnd> end_ GUARDED_BY(mutex_);
    std::vector<Kick*> kicks_ GUARDED_BY(mutex_);  // of the vCPUs whose threads there are
};

}  // namespace carrel
