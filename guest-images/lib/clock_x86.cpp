// TSC, kvm-clock (Linux Documentation/virt/kvm/x86/msr.rst, cpuid.rst), PIT channel 2 (Intel 8254 datasheet).
#include "lib/clock_x86.h"

#include "lib/cpu_x86.h"

namespace guest {
namespace {

// struct pvclock_vcpu_time_info
struct alignas(32) VcpuTime {
    std::uint32_t version, pad;
    std::uint64_t tsc_timestamp, system_time;
    std::uint32_t tsc_to_system_mul;
    std::int8_t tsc_shift;
    std::uint8_t flags, pad2[2];
};
static_assert(sizeof(VcpuTime) == 32);

constexpr std::uint32_t kHypervisorLeaf = 0x40000000;
constexpr std::uint32_t kKvmFeatures = 0x40000001;
constexpr std::uint32_t kFeatureClocksource2 = 1u << 3;
constexpr std::uint32_t kMsrSystemTimeNew = 0x4b564d01;
constexpr std::uint64_t kPitHz = 1193182;

constinit VcpuTime vcpu_time = {};
constinit bool kvm_clock = false;
constinit std::uint64_t khz = 0;

bool is_kvm() {
    if ((cpuid(1).ecx & 1u << 31) == 0) return false;
    const CpuidResult r = cpuid(kHypervisorLeaf);
    return r.ebx == 0x4b4d564b && r.ecx == 0x564b4d56 && r.edx == 0x4d;  // "KVMKVMKVM"
}

bool start_kvm_clock() {
    if (!is_kvm() || (cpuid(kKvmFeatures).eax & kFeatureClocksource2) == 0) return false;
    wrmsr(kMsrSystemTimeNew, reinterpret_cast<std::uint64_t>(&vcpu_time) | 1);
    const auto* time = const_cast<const volatile VcpuTime*>(&vcpu_time);
    return time->version != 0 && time->tsc_to_system_mul != 0;
}

// ns = (ticks << shift) * mul >> 32, so ticks a second = (10^9 << 32) / mul >> shift.
std::uint64_t khz_from_kvm_clock() {
    const std::uint64_t hz = (1000000000ull << 32) / vcpu_time.tsc_to_system_mul;
    return (vcpu_time.tsc_shift >= 0 ? hz >> vcpu_time.tsc_shift : hz << -vcpu_time.tsc_shift) / 1000;
}

// Channel 2 in mode 0 counts down 10 ms; its output is bit 5 of port 0x61, its gate bit 0.
std::uint64_t khz_from_pit() {
    constexpr std::uint64_t kMs = 10;
    constexpr std::uint64_t kCount = kPitHz * kMs / 1000;
    out8(0x61, static_cast<std::uint8_t>((in8(0x61) & ~2u) | 1u));
    out8(0x43, 0xb0);
    out8(0x42, kCount & 0xff);
    out8(0x42, kCount >> 8);
    const std::uint64_t start = rdtsc();
    for (unsigned i = 0; i < 1000000 && (in8(0x61) & 0x20) == 0; ++i) pause();
    return (rdtsc() - start) / kMs;
}

}  // namespace

void clock_init() {
    kvm_clock = start_kvm_clock();
    khz = kvm_clock ? khz_from_kvm_clock() : khz_from_pit();
    if (khz == 0) khz = 1000000;
}

std::uint64_t tsc_khz() {
    return khz;
}
std::uint64_t us_to_tsc(std::uint64_t microseconds) {
    return microseconds * khz / 1000;
}
std::uint64_t tsc_to_us(std::uint64_t ticks) {
    return ticks * 1000 / khz;
}
bool kvm_clock_present() {
    return kvm_clock;
}

std::uint64_t kvm_clock_ns() {
    if (!kvm_clock) return 0;
    const auto* time = const_cast<const volatile VcpuTime*>(&vcpu_time);
    for (;;) {
        const std::uint32_t version = time->version;
        std::uint64_t ticks = rdtsc() - time->tsc_timestamp;
        ticks = time->tsc_shift >= 0 ? ticks << time->tsc_shift : ticks >> -time->tsc_shift;
        const std::uint64_t mul = time->tsc_to_system_mul;  // ticks * mul >> 32 without a 128-bit product
        const std::uint64_t ns = time->system_time + (ticks >> 32) * mul + ((ticks & 0xffffffff) * mul >> 32);
        if ((version & 1) == 0 && version == time->version) return ns;
    }
}

bool wait_for(const volatile bool& flag, std::uint64_t microseconds) {
    const std::uint64_t start = rdtsc();
    const std::uint64_t ticks = us_to_tsc(microseconds);
    while (!flag)
        if (rdtsc() - start > ticks) return flag;
    return true;
}

void spin_us(std::uint64_t microseconds) {
    const std::uint64_t start = rdtsc();
    const std::uint64_t ticks = us_to_tsc(microseconds);
    while (rdtsc() - start < ticks) pause();
}

}  // namespace guest
