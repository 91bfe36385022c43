// A vCPU's state as bytes. The order of restoring matters (found in api.rst and KVM's x86.c):
//
//   general and system registers   system registers carry APIC_BASE, so before the local APIC
//   nested state                   a guest's own guest (VMX, SVM); needs EFER and CR4
//   XSAVE, XCR0                    XCR0 before XSAVE, or the area may be refused
//   debug registers
//   local APIC                     before MSRs: TSC_DEADLINE needs the LVT in deadline mode
//   MSRs                           TSC before TSC_DEADLINE, or the timer fires at once
//   events                         pending exceptions and interrupts, after what could clear them
//   MP_STATE                       last: halted, waiting for SIPI, runnable
//
// Of saving, too: reading MP_STATE takes a pending INIT or SIPI in (kvm_apic_accept_events), which changes CS
// and RIP. So it is read first, or a processor that was just being started would wake at the reset vector.
// And MSRs are read before the local APIC: a deadline that runs out in between then comes once more, and not
// never.
//
// What KVM can't tell: whether a local APIC timer in one-shot mode that has run down was delivered
// (lapic_timer.pending isn't in KVM_GET_LAPIC). KVM_SET_LAPIC then lets it fire once more, which an operating
// system takes as spurious; not firing could lose it. In deadline mode, which guests prefer, the MSR is 0
// once it was delivered, so that is exact.
#include <fmt/format.h>
#include <linux/kvm.h>

#include <algorithm>

#include "vmm/kvm/abi_x86.h"
#include "vmm/kvm/ioctl.h"
#include "vmm/kvm/state_x86.h"
#include "vmm/kvm/vcpu.h"

namespace carrel::kvm {
namespace {

constexpr uint16_t kVersion = 1;
constexpr uint32_t kMsrTsc = 0x10;           // SDM volume 4, IA32_TIME_STAMP_COUNTER
constexpr uint32_t kMsrTscDeadline = 0x6e0;  // IA32_TSC_DEADLINE
constexpr uint32_t kMostMsrs = 4096;
constexpr uint32_t kMostNestedState = 4 * 4096;  // VMX: a header and two pages; SVM: a header and one

struct Msr {
    uint32_t index;
    uint32_t reserved;
    uint64_t value;
};

abi::MsrList list_of(std::span<const Msr> msrs) {
    abi::MsrList list(msrs.size());
    for (const Msr& msr : msrs) list.push(kvm_msr_entry{msr.index, 0, msr.value});
    return list;
}

// KVM lists MSRs that this vCPU's CPUID hides and stops at the first that it refuses: go on after it, without
// it.
Result<std::vector<Msr>> read_msrs(int fd, const std::vector<uint32_t>& wanted) {
    std::vector<Msr> left;
    left.reserve(wanted.size());
    for (const uint32_t index : wanted) left.push_back(Msr{index, 0, 0});
    std::vector<Msr> values;
    while (!left.empty()) {
        abi::MsrList list = list_of(left);
        TRY_ASSIGN(const int done, checked_ioctl("read MSRs", fd, abi::kGetMsrs, list.header()));
        for (const kvm_msr_entry& entry : list.entries().first(static_cast<size_t>(done))) {
            values.push_back(Msr{entry.index, 0, entry.data});
        }
        left.erase(left.begin(), left.begin() + std::min<long>(done + 1, static_cast<long>(left.size())));
    }
    return values;
}

int restore_rank(uint32_t index) {
    if (index == kMsrTsc) return 0;
    return index == kMsrTscDeadline ? 2 : 1;
}

// Some MSRs can be read only; then what they read must be what was saved.
Result<void> expect_msr(const Vcpu& vcpu, const Msr& saved) {
    TRY_ASSIGN(const uint64_t value, vcpu.msr(saved.index));
    if (value == saved.value) return {};
    return host_error(fmt::format("KVM refused to set MSR {:#x} to {:#x}; it is {:#x} here", saved.index,
                                  saved.value, value));
}

Result<void> write_msrs(const Vcpu& vcpu, std::vector<Msr> msrs) {
    std::stable_sort(msrs.begin(), msrs.end(), [](const Msr& a, const Msr& b) {
        return restore_rank(a.index) < restore_rank(b.index);
    });
    std::span<const Msr> left = msrs;
    while (!left.empty()) {
        abi::MsrList list = list_of(left);
        TRY_ASSIGN(const int done, checked_ioctl("write MSRs", vcpu.fd(), abi::kSetMsrs, list.header()));
        left = left.subspan(static_cast<size_t>(done));
        if (left.empty()) break;
        TRY(expect_msr(vcpu, left.front()));
        left = left.subspan(1);
    }
    return {};
}

// KVM_GET_NESTED_STATE (4.114): empty where this KVM has none.
std::vector<std::byte> read_nested_state(int fd) {
    std::vector<std::byte> bytes(kMostNestedState);
    auto* const state = reinterpret_cast<kvm_nested_state*>(bytes.data());
    state->size = kMostNestedState;
    if (retry_ioctl(fd, KVM_GET_NESTED_STATE, state) < 0) return {};
    bytes.resize(std::min(state->size, kMostNestedState));
    return bytes;
}

Result<void> restore_nested_state(int fd, ByteReader& reader) {
    const auto saved = reader.get_bytes(kMostNestedState);
    if (saved.empty()) return {};
    std::vector<std::byte> bytes(saved.begin(), saved.end());
    bytes.resize(kMostNestedState);
    auto* const state = reinterpret_cast<kvm_nested_state*>(bytes.data());
    if (state->size != saved.size()) return usage_error("saved nested state has the wrong length");
    TRY(checked_ioctl("restore the nested state", fd, KVM_SET_NESTED_STATE, state));
    return {};
}

// KVM takes a TSC that is within a second of what it expects for one that shall be the same as the last one
// set (so that the vCPUs of a VM agree), and older ones, such as 6.1's, expect a new VM's to count from 0: a
// guest in its first second would go back in time. So the first vCPU's is set to something far away before;
// the others shall follow it.
Result<void> leave_new_tsc(const Vcpu& vcpu, uint64_t tsc) {
    constexpr uint64_t kFarAway = uint64_t{1} << 62;
    return vcpu.id() == 0 ? write_msrs(vcpu, {Msr{kMsrTsc, 0, tsc ^ kFarAway}}) : Result<void>{};
}

Result<void> restore_msrs(const Vcpu& vcpu, ByteReader& reader) {
    const auto count = reader.get<uint32_t>();
    if (count > kMostMsrs) return usage_error("saved state holds too many MSRs");
    std::vector<Msr> msrs;
    msrs.reserve(count);
    for (uint32_t i = 0; i < count; ++i) msrs.push_back(reader.get<Msr>());
    if (!reader.ok()) return usage_error("saved state is cut short");
    for (const Msr& msr : msrs)
        if (msr.index == kMsrTsc) TRY(leave_new_tsc(vcpu, msr.value));
    return write_msrs(vcpu, std::move(msrs));
}

}  // namespace

Result<void> Vcpu::save(ByteWriter& writer, const std::vector<uint32_t>& msr_list) const {
    kvm_mp_state run_state{};
    TRY(checked_ioctl("read the run state", fd(), KVM_GET_MP_STATE, &run_state));
    TRY_ASSIGN(const std::vector<Msr> msrs, read_msrs(fd(), msr_list));
    const size_t part = writer.begin_part("vcpu", kVersion);
    TRY(save_by_ioctl<kvm_regs>(writer, "read the general registers", fd(), KVM_GET_REGS));
    TRY(save_by_ioctl<kvm_sregs>(writer, "read the system registers", fd(), KVM_GET_SREGS));
    writer.put_bytes(read_nested_state(fd()));
    TRY(save_by_ioctl<kvm_xcrs>(writer, "read XCR0", fd(), KVM_GET_XCRS));
    TRY(save_by_ioctl<abi::Xsave>(writer, "read the XSAVE area", fd(), abi::kGetXsave));
    TRY(save_by_ioctl<kvm_debugregs>(writer, "read the debug registers", fd(), KVM_GET_DEBUGREGS));
    TRY(save_by_ioctl<kvm_lapic_state>(writer, "read the local APIC", fd(), KVM_GET_LAPIC));
    writer.put(static_cast<uint32_t>(msrs.size()));
    for (const Msr& msr : msrs) writer.put(msr);
    TRY(save_by_ioctl<kvm_vcpu_events>(writer, "read pending events", fd(), KVM_GET_VCPU_EVENTS));
    writer.put_bytes(std::as_bytes(std::span(&run_state, 1)));
    writer.end_part(part);
    return {};
}

Result<void> Vcpu::restore(ByteReader& reader) {
    ByteReader part = reader.part("vcpu", kVersion);
    TRY(restore_by_ioctl<kvm_regs>(part, "restore the general registers", fd(), KVM_SET_REGS));
    TRY(restore_by_ioctl<kvm_sregs>(part, "restore the system registers", fd(), KVM_SET_SREGS));
    TRY(restore_nested_state(fd(), part));
    TRY(restore_by_ioctl<kvm_xcrs>(part, "restore XCR0", fd(), KVM_SET_XCRS));
    TRY(restore_by_ioctl<abi::Xsave>(part, "restore the XSAVE area", fd(), abi::kSetXsave));
    TRY(restore_by_ioctl<kvm_debugregs>(part, "restore the debug registers", fd(), KVM_SET_DEBUGREGS));
    TRY(restore_by_ioctl<kvm_lapic_state>(part, "restore the local APIC", fd(), KVM_SET_LAPIC));
    TRY(restore_msrs(*this, part));
    TRY(restore_by_ioctl<kvm_vcpu_events>(part, "restore pending events", fd(), KVM_SET_VCPU_EVENTS));
    TRY(restore_by_ioctl<kvm_mp_state>(part, "restore the run state", fd(), KVM_SET_MP_STATE));
    if (!part.ok() || !part.at_end()) return usage_error("saved state of a vCPU has the wrong length");
    return {};
}

}  // namespace carrel::kvm
