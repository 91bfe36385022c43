#include "vmm/kvm/vcpu.h"

#include <algorithm>
#include <csignal>
#include <cstddef>

#include "vmm/base/check.h"
#include "vmm/base/signals.h"
#include "vmm/kvm/abi_x86.h"
#include "vmm/kvm/ioctl.h"

namespace carrel::kvm {
namespace {

// The immediate_exit byte of the vCPU that this thread runs; null elsewhere. It can't come with the signal:
// what a signal carries is lost where the user's queue of signals is full.
thread_local __u8* this_thread_immediate_exit = nullptr;

// Runs on the kicked thread. A plain EINTR would lose a signal that arrives between the last look at the
// requests and KVM_RUN; the byte makes that KVM_RUN return at once.
void on_kick(int) {
    if (this_thread_immediate_exit != nullptr)
        __atomic_store_n(this_thread_immediate_exit, 1, __ATOMIC_RELAXED);
}

kvm_segment to_kvm(const SegmentState& s) {
    kvm_segment k{};
    k.base = s.base;
    k.limit = s.limit;
    k.selector = s.selector;
    k.type = s.type;
    k.present = s.present;
    k.dpl = s.dpl;
    k.db = s.db;
    k.s = s.code_or_data;
    k.l = s.long_mode;
    k.g = s.granularity;
    k.unusable = !s.present;
    return k;
}

kvm_dtable to_kvm(const TableState& t) {
    kvm_dtable k{};
    k.base = t.base;
    k.limit = t.limit;
    return k;
}

}  // namespace

void install_kick_handler() {
    struct sigaction action {};
    action.sa_handler = on_kick;  // no SA_RESTART: KVM_RUN must come back
    ::sigemptyset(&action.sa_mask);
    CHECK(::sigaction(signals::kick(), &action, nullptr) == 0);
}

Vcpu::Vcpu(Fd fd, Mapping run, uint32_t id) : fd_(std::move(fd)), run_(std::move(run)), id_(id) {}

Result<void> Vcpu::set_cpuid(const CpuidTable& table) {
    abi::CpuidList list(table.size());
    for (const CpuidLeaf& leaf : table) {
        kvm_cpuid_entry2 e{};
        e.function = leaf.function;
        e.index = leaf.index;
        e.flags = leaf.index_matters ? KVM_CPUID_FLAG_SIGNIFCANT_INDEX : 0;
        e.eax = leaf.eax;
        e.ebx = leaf.ebx;
        e.ecx = leaf.ecx;
        e.edx = leaf.edx;
        list.push(e);
    }
    TRY(checked_ioctl("set the CPUID leaves", fd(), abi::kSetCpuid, list.header()));
    return {};
}

Result<void> Vcpu::set_tsc_khz(uint32_t khz) {
    TRY(checked_ioctl("set the TSC frequency", fd(), KVM_SET_TSC_KHZ, static_cast<unsigned long>(khz)));
    return {};
}

Result<uint32_t> Vcpu::tsc_khz() const {
    TRY_ASSIGN(const int khz, checked_ioctl("tell the TSC frequency", fd(), KVM_GET_TSC_KHZ, 0));
    return static_cast<uint32_t>(khz);
}

Result<uint64_t> Vcpu::msr(uint32_t index) const {
    abi::MsrList list(1);
    list.push(kvm_msr_entry{index, 0, 0});
    TRY_ASSIGN(const int done, checked_ioctl("read an MSR", fd(), abi::kGetMsrs, list.header()));
    if (done != 1) return host_error("KVM refused to read MSR " + std::to_string(index));
    return list.entries()[0].data;
}

Result<void> Vcpu::set_msr(uint32_t index, uint64_t value) {
    abi::MsrList list(1);
    list.push(kvm_msr_entry{index, 0, value});
    TRY_ASSIGN(const int done, checked_ioctl("set an MSR", fd(), abi::kSetMsrs, list.header()));
    if (done != 1) return host_error("KVM refused to set MSR " + std::to_string(index));
    return {};
}

Result<void> Vcpu::set_xcr0(uint64_t value) {
    kvm_xcrs xcrs{};
    xcrs.nr_xcrs = 1;  // xcrs[0].xcr stays 0: XCR0
    xcrs.xcrs[0].value = value;
    TRY(checked_ioctl("set XCR0", fd(), KVM_SET_XCRS, &xcrs));
    return {};
}

Result<void> Vcpu::load(const CpuState& state) {
    TRY_ASSIGN(kvm_sregs system, sregs());
    system.cs = to_kvm(state.cs);
    system.ds = to_kvm(state.ds);
    system.es = to_kvm(state.es);
    system.fs = to_kvm(state.fs);
    system.gs = to_kvm(state.gs);
    system.ss = to_kvm(state.ss);
    system.tr = to_kvm(state.tr);
    system.ldt = to_kvm(state.ldt);
    system.gdt = to_kvm(state.gdt);
    system.idt = to_kvm(state.idt);
    system.cr0 = state.cr0;
    system.cr3 = state.cr3;
    system.cr4 = state.cr4;
    system.efer = state.efer;
    TRY(checked_ioctl("set the system registers", fd(), KVM_SET_SREGS, &system));

    kvm_regs general{};
    general.rip = state.rip;
    general.rsp = state.rsp;
    general.rflags = state.rflags;
    general.rax = state.rax;
    general.rbx = state.rbx;
    general.rcx = state.rcx;
    general.rdx = state.rdx;
    general.rsi = state.rsi;
    general.rdi = state.rdi;
    general.rbp = state.rbp;
    TRY(checked_ioctl("set the general registers", fd(), KVM_SET_REGS, &general));
    return {};
}

Result<kvm_regs> Vcpu::regs() const {
    kvm_regs regs{};
    TRY(checked_ioctl("read the general registers", fd(), KVM_GET_REGS, &regs));
    return regs;
}

Result<kvm_sregs> Vcpu::sregs() const {
    kvm_sregs sregs{};
    TRY(checked_ioctl("read the system registers", fd(), KVM_GET_SREGS, &sregs));
    return sregs;
}

std::optional<Gpa> Vcpu::translate(uint64_t linear) const {
    kvm_translation translation{};
    translation.linear_address = linear;
    if (retry_ioctl(fd(), KVM_TRANSLATE, &translation) < 0 || translation.valid == 0) return std::nullopt;
    return Gpa{translation.physical_address};
}

void Vcpu::bind_to_this_thread() {
    this_thread_immediate_exit = &run_page()->immediate_exit;
    thread_.store(::gettid(), std::memory_order_release);
}

void Vcpu::unbind() {
    thread_.store(0, std::memory_order_release);
    this_thread_immediate_exit = nullptr;
}

void Vcpu::kick() {
    __atomic_store_n(&run_page()->immediate_exit, 1, __ATOMIC_SEQ_CST);
    const pid_t thread = thread_.load(std::memory_order_acquire);
    if (thread != 0) ::tgkill(::getpid(), thread, signals::kick());
}

void Vcpu::tell_paused() {
    retry_ioctl(fd(), KVM_KVMCLOCK_CTRL,
                0);  // fails where the guest has no kvm-clock: then nothing is to be told
}

bool Vcpu::is_halted() const {
    kvm_mp_state state{};
    return retry_ioctl(fd(), KVM_GET_MP_STATE, &state) == 0 && state.mp_state != KVM_MP_STATE_RUNNABLE;
}

bool Vcpu::waits_for_init() const {
    kvm_mp_state state{};
    return retry_ioctl(fd(), KVM_GET_MP_STATE, &state) == 0 && state.mp_state == KVM_MP_STATE_UNINITIALIZED;
}

Exit Vcpu::run() {
    const int result = ::ioctl(fd(), KVM_RUN, 0);
    exits_.store(exits() + 1, std::memory_order_relaxed);  // one writer
    if (result == 0) {
        again_ = 0;
        return decode();
    }
    // EAGAIN: a processor that waits for its INIT was woken. From one that runs, many in a row: KVM couldn't
    // start a thread of its own.
    const int error = errno;
    again_ = error == EAGAIN ? again_ + 1 : 0;
    if (error == EINTR || (error == EAGAIN && (again_ < kMostAgain || waits_for_init())))
        return InterruptedExit{};
    return RefusedExit{error};
}

Exit Vcpu::complete_pending_access() {
    __atomic_store_n(&run_page()->immediate_exit, 1, __ATOMIC_SEQ_CST);
    const Exit exit = run();
    clear_kick();
    return exit;
}

Exit Vcpu::decode_port() const {
    kvm_run* const run = run_page();
    auto* const data = run_.data() + run->io.data_offset;
    return PortExit{run->io.port, run->io.direction == KVM_EXIT_IO_OUT, run->io.size, run->io.count,
                    std::span(data, size_t{run->io.size} * run->io.count)};
}

FailedExit Vcpu::decode_failure() const {
    const kvm_run* const run = run_page();
    FailedExit failed{run->exit_reason, 0, {}, 0};
    if (run->exit_reason == KVM_EXIT_FAIL_ENTRY) failed.code = run->fail_entry.hardware_entry_failure_reason;
    if (run->exit_reason == KVM_EXIT_UNKNOWN) failed.code = run->hw.hardware_exit_reason;
    if (run->exit_reason == KVM_EXIT_INTERNAL_ERROR) {
        failed.code = run->internal.suberror;
        failed.details = std::min<uint32_t>(run->internal.ndata, std::size(failed.detail));
        for (uint32_t i = 0; i < failed.details; ++i) failed.detail[i] = run->internal.data[i];
    }
    return failed;
}

Exit Vcpu::decode() const {
    kvm_run* const run = run_page();
    switch (run->exit_reason) {
        case KVM_EXIT_IO: return decode_port();
        case KVM_EXIT_MMIO: {
            auto* const data = reinterpret_cast<std::byte*>(run->mmio.data);
            const auto length = std::min<size_t>(run->mmio.len, sizeof run->mmio.data);
            return MmioExit{Gpa{run->mmio.phys_addr}, run->mmio.is_write != 0, std::span(data, length)};
        }
        case KVM_EXIT_HLT: return HaltExit{};
        case KVM_EXIT_SHUTDOWN: return ShutdownExit{};
        case KVM_EXIT_SYSTEM_EVENT: return SystemEventExit{run->system_event.type};
        case KVM_EXIT_INTR: return InterruptedExit{};
        case KVM_EXIT_IRQ_WINDOW_OPEN:
        case KVM_EXIT_SET_TPR: return IgnoredExit{};
        default: return decode_failure();
    }
}

}  // namespace carrel::kvm
