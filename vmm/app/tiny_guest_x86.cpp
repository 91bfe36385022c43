#include "vmm/app/tiny_guest_x86.h"

#include <algorithm>
#include <array>

#include "vmm/app/tiny_guest_code_x86.h"

namespace carrel::app {
namespace {

constexpr uint64_t kMemory = kHugePageSize;
constexpr Gpa kPml4{0x1000}, kPdpt{0x2000}, kPd{0x3000}, kIdt{0x4000}, kGdt{0x5000};
constexpr Gpa kHandler{0x8000}, kStack{0xf000}, kData{0x10000}, kCode{0x20000};

constexpr uint64_t kPresentWritable = 3;  // SDM volume 3, table 4-15
constexpr uint64_t kLargePage = 1u << 7;  // SDM volume 3, table 4-18
constexpr uint16_t kCodeSelector = 0x10, kDataSelector = 0x18, kTaskSelector = 0x20;
constexpr std::array<uint64_t, 4> kGdtEntries = {0, 0, 0x00af'9b00'0000'ffff,
                                                 0x00cf'9300'0000'ffff};  // SDM volume 3, 3.4.5
constexpr uint64_t kBreakpointVector = 3;                                 // SDM volume 3, table 6-1
constexpr uint64_t kGateSize = 16;                                        // SDM volume 3, figure 6-8
constexpr uint64_t kInterruptGate = 0x8e;  // SDM volume 3, figure 6-8: present, ring 0, 64-bit interrupt gate

constexpr uint64_t kCr0Mp = 1u << 1, kCr0Ne = 1u << 5;            // SDM volume 3, 2.5
constexpr uint64_t kCr4Osfxsr = 1u << 9, kCr4Osxsave = 1u << 18;  // the same
constexpr uint32_t kFeatureXsave = 26;                            // CPUID leaf 1, ECX

SegmentState segment(uint16_t selector, uint8_t type, bool code) {
    SegmentState s;
    s.selector = selector;
    s.limit = 0xffff'ffff;
    s.type = type;
    s.granularity = true;
    s.long_mode = code;
    s.db = !code;
    return s;
}

SegmentState task_segment() {
    SegmentState s;
    s.selector = kTaskSelector;
    s.limit = 0x67;
    s.type = 11;  // busy 64-bit TSS
    s.code_or_data = false;
    return s;
}

CpuState long_mode_state(bool xsave, uint64_t rcx) {
    CpuState cpu;
    cpu.rip = raw(kCode);
    cpu.rsp = raw(kStack);
    cpu.rsi = raw(kData);
    cpu.rcx = rcx;
    cpu.cr0 = kCr0Pe | kCr0Mp | kCr0Et | kCr0Ne | kCr0Pg;
    cpu.cr3 = raw(kPml4);
    cpu.cr4 = kCr4Pae | kCr4Osfxsr | (xsave ? kCr4Osxsave : 0);
    cpu.efer = kEferLme | kEferLma;
    cpu.cs = segment(kCodeSelector, 11, true);
    cpu.ds = cpu.es = cpu.fs = cpu.gs = cpu.ss = segment(kDataSelector, 3, false);
    cpu.tr = task_segment();
    cpu.ldt.present = false;
    cpu.gdt = {raw(kGdt), sizeof kGdtEntries - 1};
    cpu.idt = {raw(kIdt), static_cast<uint16_t>((kBreakpointVector + 1) * kGateSize - 1)};
    return cpu;
}

// The low half of a 64-bit gate; the handler lies below 64 KiB times 16, so the high half is zero.
constexpr uint64_t gate(uint64_t handler) {
    return (handler & 0xffff) | uint64_t{kCodeSelector} << 16 | kInterruptGate << 40 |
           (handler >> 16 & 0xffff) << 48;
}

}  // namespace

Result<std::unique_ptr<TinyGuest>> TinyGuest::create(const kvm::Kvm& kvm) {
    TRY_ASSIGN(auto memory, GuestMemory::create(RamMap::of_size(kMemory), MemoryBacking::kAnonymous));
    TRY_ASSIGN(auto vm, kvm.create_vm());
    TRY(vm->place_intel_pages());
    TRY(vm->map(*memory));
    TRY_ASSIGN(auto cpuid, kvm.supported_cpuid());
    auto guest = std::make_unique<TinyGuest>(std::move(memory), std::move(vm), std::move(cpuid));
    TRY(guest->write_tables());
    kvm::install_kick_handler();
    return guest;
}

TinyGuest::TinyGuest(std::unique_ptr<GuestMemory> memory, std::unique_ptr<kvm::Vm> vm, CpuidTable cpuid)
    : memory_(std::move(memory)), vm_(std::move(vm)), cpuid_(std::move(cpuid)) {}

Result<void> TinyGuest::write_tables() {
    bool done = memory_->write(kPml4, raw(kPdpt) | kPresentWritable);
    done = done && memory_->write(kPdpt, raw(kPd) | kPresentWritable);
    done = done && memory_->write(kPd, kPresentWritable | kLargePage);
    done = done && memory_->write(kGdt, kGdtEntries);
    done = done && memory_->write(kIdt + kBreakpointVector * kGateSize, gate(raw(kHandler)));
    done = done && memory_->write_bytes(kHandler, guest_code::int3_handler());
    CHECK(done);
    return {};
}

Result<std::unique_ptr<kvm::Vcpu>> TinyGuest::start(std::span<const std::byte> code, uint64_t rcx) {
    CHECK(memory_->write_bytes(kCode, code));
    CHECK(memory_->write(kData, std::array<std::byte, 2 * kPageSize>{}));
    TRY_ASSIGN(auto vcpu, vm_->create_vcpu(next_vcpu_++));
    TRY(vcpu->set_cpuid(cpuid_));
    TRY(vcpu->load(long_mode_state(offers(kFeatureXsave), rcx)));
    return vcpu;
}

bool TinyGuest::offers(uint32_t leaf1_ecx_bit) const {
    const auto leaf =
        std::find_if(cpuid_.begin(), cpuid_.end(), [](const CpuidLeaf& l) { return l.function == 1; });
    return leaf != cpuid_.end() && (leaf->ecx >> leaf1_ecx_bit & 1) != 0;
}

Result<std::unique_ptr<Watchdog>> Watchdog::start(kvm::Vcpu& vcpu, Nanoseconds patience) {
    auto dog = std::make_unique<Watchdog>(vcpu, patience);
    vcpu.bind_to_this_thread();
    TRY_ASSIGN(dog->thread_, Thread::start("watchdog", [raw_dog = dog.get()] { raw_dog->wait(); }));
    return dog;
}

Watchdog::~Watchdog() {
    {
        const MutexLock lock(mutex_);
        done_ = true;
        condition_.notify_all();
    }
    thread_.join();
    vcpu_.unbind();
    vcpu_.clear_kick();
}

void Watchdog::wait() {
    const SystemClock clock;
    const Nanoseconds deadline = clock.now() + patience_;
    const MutexLock lock(mutex_);
    while (!done_ && clock.now() < deadline) condition_.wait_for(mutex_, deadline - clock.now());
    if (!done_) vcpu_.kick();
}

}  // namespace carrel::app
