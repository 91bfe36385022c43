#include "vmm/machine/machine.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/random.h>

#include <array>
#include <cerrno>

#include "boot/acpi/tables.h"
#include "boot/cmdline.h"
#include "boot/kernel_image.h"
#include "guest-images/default_guest.h"
#include "vmm/base/host_cpus.h"
#include "vmm/kvm/teardown.h"
#include "vmm/machine/cpuid_x86.h"
#include "vmm/machine/describe_x86.h"

namespace carrel {
namespace {

// MSRs that firmware would have set up (SDM volume 4).
constexpr uint32_t kMsrMiscEnable = 0x1a0;   // IA32_MISC_ENABLE
constexpr uint64_t kFastStrings = 1;         // without it Linux switches REP MOVSB's fast path off (Intel)
constexpr uint32_t kMsrMtrrDefault = 0x2ff;  // IA32_MTRR_DEF_TYPE
constexpr uint64_t kMtrrEnabledWriteBack = 1u << 11 | 6;  // else Linux does without PAT

// O_NONBLOCK: a FIFO must be refused, not waited for.
Result<boot::InputFile> open_input(Opener& opener, const std::string& path) {
    errno = 0;
    auto fd = opener.open(path, O_RDONLY | O_NONBLOCK);
    const bool too_many_open = errno == EMFILE || errno == ENFILE;
    if (!fd.ok() && too_many_open)
        return host_error(fd.error().what, "raise the limit on open files (ulimit -n)");
    if (!fd.ok()) return usage_error(fd.error().what, "name a file that exists and that you may read");
    return boot::InputFile{std::move(*fd), path};
}

std::vector<boot::MmioDevice> mmio_devices(const MachineDescription& description) {
    std::vector<boot::MmioDevice> devices;
    for (const DevicePlace& place : description.devices) {
        if (place.transport == Transport::kMmio)
            devices.push_back({Gpa{place.base}, place.size, place.gsi.value()});
    }
    return devices;
}

acpi::Platform platform_of(const MachineDescription& description) {
    acpi::Platform platform;
    platform.apic_ids = description.apic_ids;
    if (const DevicePlace* com = description.find(DeviceKind::kCom)) {
        platform.com1 = acpi::SerialPort{static_cast<uint16_t>(com->base), com->gsi.value()};
    }
    // The bridge answers at 0xcf8 always. Its bus is announced where there is something on it: for an empty
    // one Linux would leave the guest a hundred times to look into 31 slots and size the bridge's own BARs.
    if (const DevicePlace* ecam = description.find(DeviceKind::kPciEcam)) {
        platform.pci->ecam = Gpa{ecam->base};
    } else {
        platform.pci.reset();
    }
    for (const boot::MmioDevice& device : mmio_devices(description))
        platform.virtio_mmio.push_back({device.base, static_cast<uint32_t>(device.size), device.irq});
    return platform;
}

}  // namespace

Machine::Machine(MachineConfig config, MachineServices services, kvm::Kvm kvm)
    : config_(std::move(config)),
      services_(std::move(services)),
      kvm_(std::move(kvm)),
      console_(services_.console, config_.console == ConsoleKind::kVirtio, [this](std::string message) {
          end(MachineEnd{EndReason::kPanic, std::move(message)});
      }) {}

Result<std::unique_ptr<Machine>> Machine::create(const MachineConfig& config,
                                                 const MachineServices& services) {
    TRY_ASSIGN(auto machine, open(config, services));
    TRY(machine->load());
    TRY(machine->connect());
    return machine;
}

Result<std::unique_ptr<Machine>> Machine::open(const MachineConfig& config, const MachineServices& services) {
    TRY_ASSIGN(kvm::Kvm kvm, kvm::Kvm::open(services.opener));
    TRY(kvm.check_required());
    TRY(check_cpus_usable(config.cpus_allowed, "--cpus-allowed"));
    auto machine = std::make_unique<Machine>(config, services, std::move(kvm));
    TRY_ASSIGN(machine->description_, describe(machine->kvm_, config));
    const EventLoop::ChargeScope charge(services.io, services.charge);
    TRY_ASSIGN(machine->sources_,
               DeviceSources::open(config, SourceServices{services.opener, services.spawner, services.io,
                                                          services.log, services.switches}));
    return machine;
}

// KVM_CREATE_VM sleeps some ten milliseconds waiting for other processors, so it gets a thread beside the
// loading.
Result<void> Machine::load() {
    Result<void> made_vm;
    TRY_ASSIGN(Thread maker, Thread::start("create-vm", [this, &made_vm] { made_vm = make_vm(hardware_); }));
    const Result<void> loaded = load_guest();
    maker.join();
    TRY(made_vm);
    TRY(loaded);
    if (memory_->lost()) return memory_->lost_error();
    return map_memory(*hardware_.vm);
}

Result<void> Machine::connect() {
    TRY(make_board(hardware_));
    return hardware_.vcpus.front()->load(boot_.cpu);
}

Result<void> Machine::make_vm(Hardware& hardware) {
    TRY_ASSIGN(hardware.vm, kvm_.create_vm());
    TRY(hardware.vm->place_intel_pages());
    TRY(hardware.vm->create_irqchip());
    for (const boot::MmioDevice& device : mmio_devices(description_)) TRY(hardware.vm->set_level(device.irq));
    return set_up_vcpus(hardware);
}

Result<void> Machine::set_up_vcpus(Hardware& hardware) {
    for (const uint32_t apic_id : description_.apic_ids) {
        TRY_ASSIGN(auto vcpu, hardware.vm->create_vcpu(apic_id));
        TRY(agree_on_tsc(*vcpu));
        TRY(vcpu->set_cpuid(cpuid_of(description_.cpuid, apic_id)));
        if (const uint64_t xcr0 = initial_xcr0(description_.cpuid); xcr0 != 1) TRY(vcpu->set_xcr0(xcr0));
        // Not every KVM knows both; a guest that misses them is slower, not wrong.
        if (const auto enabled = vcpu->msr(kMsrMiscEnable); enabled.ok()) {
            (void)vcpu->set_msr(kMsrMiscEnable, *enabled | kFastStrings).ok();
        }
        (void)vcpu->set_msr(kMsrMtrrDefault, kMtrrEnabledWriteBack).ok();
        hardware.vcpus.push_back(std::move(vcpu));
    }
    return {};
}

// The first vCPU tells, all others and all later ones follow. A host whose TSC isn't stable can't tell
// (4.56).
Result<void> Machine::agree_on_tsc(kvm::Vcpu& vcpu) {
    const auto khz = vcpu.tsc_khz();
    if (!khz.ok()) return {};
    if (description_.tsc_khz == 0) description_.tsc_khz = *khz;
    return *khz == description_.tsc_khz ? Result<void>{} : vcpu.set_tsc_khz(description_.tsc_khz);
}

Result<void> Machine::make_board(Hardware& hardware) {
    hardware.board = std::make_unique<Board>(
        BoardWiring{*hardware.vm, *memory_, description_, services_.io, services_.clock, console_.uarts(),
                    console_.virtio(), services_.input_room, *this, *this, services_.disks, services_.log});
    const EventLoop::ChargeScope charge(services_.io, services_.charge);
    TRY(hardware.board->add_virtio(sources_));
    hardware.board->resize_console(window_);
    return {};
}

Result<void> Machine::load_guest() {
    TRY(make_memory());
    TRY_ASSIGN(const Gpa rsdp, acpi::install(platform_of(description_), *memory_));

    std::array<std::byte, 64> entropy{};
    if (::getrandom(entropy.data(), entropy.size(), 0) != static_cast<ssize_t>(entropy.size())) {
        return os_error(errno, "cannot get random bytes from the host");
    }
    boot::BootRequest request;
    request.rsdp = rsdp;
    request.entropy = entropy;
    request.payload_cache = services_.payloads;
    if (config_.boot.kernel.empty()) {
        request.cmdline = cmdline_ = config_.boot.cmdline;
        const auto image = boot::KernelImage::embedded(default_guest_image(), "the embedded guest");
        TRY_ASSIGN(boot_, boot::load_kernel(image, request, *memory_));
        return {};
    }
    std::optional<Gpa> early_console;
    if (const DevicePlace* place = description_.find(DeviceKind::kEarlyConsole))
        early_console = Gpa{place->base};
    cmdline_ = boot::final_cmdline(config_.boot.cmdline, early_console,
                                   config_.console == ConsoleKind::kVirtio ? "hvc0" : "ttyS0");
    request.cmdline = cmdline_ = boot::announce_mmio(cmdline_, mmio_devices(description_));
    if (boot::is_switched_off(cmdline_, "printk.time")) console_.expect_no_stamps();
    TRY_ASSIGN(const boot::InputFile kernel, open_input(services_.opener, config_.boot.kernel));
    std::optional<boot::InputFile> initrd;
    if (!config_.boot.initrd.empty()) {
        TRY_ASSIGN(initrd, open_input(services_.opener, config_.boot.initrd));
        request.initrd = &*initrd;
    }
    TRY_ASSIGN(boot_, boot::load_kernel(kernel, request, *memory_));
    return {};
}

Result<void> Machine::start() {
    kvm::install_kick_handler();
    started_.store(true);
    if (const auto memory = memory_report(); memory && memory->near) on_memory_near();  // from loading
    return start_threads();
}

Result<void> Machine::start_threads() {
    gate_.reopen();
    samplers_.clear();
    runners_.clear();
    const VcpuRunner::Options options{config_, services_.log, services_.clock};
    for (const auto& vcpu : hardware_.vcpus) {
        runners_.push_back(std::make_unique<VcpuRunner>(*vcpu, *hardware_.board, gate_, *this, options));
        if (services_.leases != nullptr)
            TRY(runners_.back()->take_seat(*services_.leases, services_.scheduled_as));
        samplers_.emplace_back(*runners_.back(), services_.opener);
    }
    {
        MutexLock lock(mutex_);
        for (const auto& runner : runners_) kicks_.push_back(runner.get());
        if (end_) gate_.set(RunGate::Request::kStop);  // it came between two sets of threads
    }
    constexpr size_t kNameShown = 8;  // DESIGN.md section 4: tools and filters go by "<vm cut to 8>:vcpuN"
    for (const auto& runner : runners_) {
        const auto name = fmt::format("{}:vcpu{}", config_.name.substr(0, kNameShown), threads_.size());
        TRY_ASSIGN(Thread thread, Thread::start(name, [&runner = *runner] { runner.run(); }));
        threads_.push_back(std::move(thread));
    }
    // Whoever feeds the serial port may have been told by its predecessor (a rebuild, a restart) that there
    // was no room.
    services_.input_room.on_room();
    return {};
}

Machine::~Machine() {
    take_apart();
}

void Machine::take_apart() {
    join_all();
    samplers_.clear();
    runners_.clear();                                                      // their places with the scheduler
    if (memory_ && memory_->quota() != nullptr) memory_->quota()->stop();  // it calls us
    swap_.close();
    if (hardware_.vm) hardware_.vm->leave_wiring_to_kernel();
    hardware_.board.reset();  // it delivers what was collected, to what is declared behind it
    sources_ = DeviceSources();
}

void Machine::kick_all() {
    MutexLock lock(mutex_);
    for (Kick* const runner : kicks_) runner->kick();
}

void Machine::join_all() {
    gate_.set(RunGate::Request::kStop);
    kick_all();
    threads_.clear();  // joins
    MutexLock lock(mutex_);
    kicks_.clear();
}

void Machine::stop() {
    join_all();
    hardware_.board->finish_output();
}

void Machine::end(MachineEnd end) {
    {
        MutexLock lock(mutex_);
        if (end_) return;
        end_ = std::move(end);
    }
    gate_.set(RunGate::Request::kStop);
    kick_all();
    services_.on_end();
}

std::optional<MachineEnd> Machine::ended() const {
    MutexLock lock(mutex_);
    return end_;
}

// A kernel that panics and has panic=N resets; that reset is the panic's.
void Machine::on_reset() {
    if (auto panic = console_.panic()) return end(MachineEnd{EndReason::kPanic, std::move(*panic)});
    end(MachineEnd{EndReason::kReset, {}});
}

// A kernel tells pvpanic when it has printed its message, so a console that it has shows it in full.
void Machine::on_panic() {
    end(MachineEnd{EndReason::kPanic, console_.panic().value_or("it said so to the pvpanic device")});
}

void Machine::on_crash_kernel() {
    services_.log.warning("the guest's kernel panicked; its crash kernel takes over");
}

Result<bool> Machine::pause() {
    if (time_) return true;
    TRY_ASSIGN(const bool stands, stand_still(pausing_since_ ? 0 : kFirstWait));
    if (!stands) return false;
    auto time = kvm::GuestTime::stop(*hardware_.vm, hardware_.vcpus);
    if (!time.ok()) {
        go_on();
        return std::move(time).error();
    }
    time_ = std::move(*time);
    return true;
}

// Its vCPUs and I/O, within `limit`; else as pause(). What may be read afterwards is all that the guest can
// see.
Result<bool> Machine::stand_still(Nanoseconds limit) {
    const Nanoseconds now = services_.clock.now();
    if (!pausing_since_) {
        pausing_since_ = now;
        gate_.set(RunGate::Request::kPause);
        kick_all();
    }
    const bool parked = vcpus_park(limit);
    if (parked && hardware_.board->quiesce(limit)) return true;
    if (now - *pausing_since_ < kPatience) return false;
    go_on();
    return host_error(fmt::format("{} of {} didn't stop within {}", parked ? "the I/O" : "the vCPUs",
                                  config_.name, duration_text(kPatience)));
}

Result<void> Machine::resume(bool clocks_ran) {
    if (!time_) return {};
    const kvm::GuestTime time = *std::exchange(time_, std::nullopt);
    const auto set =
        clocks_ran ? time.keep_running(hardware_.vcpus) : time.go_on(*hardware_.vm, hardware_.vcpus);
    tell_paused();
    go_on();
    return set;
}

void Machine::tell_stood() {
    if (pausing_since_) return;  // resume() does
    gate_.set(RunGate::Request::kPause);
    kick_all();
    if (vcpus_park(kPatience)) tell_paused();
    gate_.set(RunGate::Request::kRun);
}

bool Machine::vcpus_park(Nanoseconds limit) {
    return gate_.wait_parked(static_cast<uint32_t>(threads_.size()), limit, services_.clock);
}

// KVM_KVMCLOCK_CTRL.
void Machine::tell_paused() {
    for (const auto& vcpu : hardware_.vcpus) vcpu->tell_paused();
}

void Machine::go_on() {
    pausing_since_.reset();
    hardware_.board->resume();
    gate_.set(RunGate::Request::kRun);
}

Result<Fd> Machine::defer_teardown(std::span<const Machine* const> machines) {
    std::vector<int> vms;
    for (const Machine* machine : machines) vms.push_back(machine->hardware_.vm->fd());
    return kvm::defer_teardown(vms);
}

}  // namespace carrel
