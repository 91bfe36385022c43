// Sections: Intel SDM volume 2A, CPUID; AMD APM volume 3, appendix E (leaves from 0x8000'0000).
#include "vmm/machine/cpuid_x86.h"

#include <algorithm>
#include <bit>

namespace carrel {
namespace {

constexpr uint32_t kBasic = 0x0;
constexpr uint32_t kFeatures = 0x1;
constexpr uint32_t kCaches = 0x4;  // Intel
constexpr uint32_t kMonitor = 0x5;
constexpr uint32_t kThermal = 0x6;
constexpr uint32_t kArat = 1u << 2;  // EAX: the APIC timer never stops; KVM says so everywhere
constexpr uint32_t kStructured = 0x7;
constexpr uint32_t kPerformance = 0xa;
constexpr uint32_t kTopology = 0xb;
constexpr uint32_t kXsave = 0xd;
constexpr uint32_t kTopologyV2 = 0x1f;  // Intel
constexpr uint32_t kKvmFirst = 0x4000'0000;
constexpr uint32_t kExtendedFeatures = 0x8000'0001;
constexpr uint32_t kAddressSizes = 0x8000'0008;
constexpr uint32_t kCachesAmd = 0x8000'001d;
constexpr uint32_t kTopologyAmd = 0x8000'001e;

// Leaf 1, ECX and EDX.
constexpr uint32_t kSse3 = 1u << 0, kSsse3 = 1u << 9, kCx16 = 1u << 13, kSse41 = 1u << 19, kSse42 = 1u << 20;
constexpr uint32_t kX2apic = 1u << 21, kPopcnt = 1u << 23, kTscDeadline = 1u << 24, kHypervisor = 1u << 31;
constexpr uint32_t kHtt = 1u << 28;
// Leaf 0x8000'0001, ECX and EDX.
constexpr uint32_t kLahf = 1u << 0, kCmpLegacy = 1u << 1;
constexpr uint32_t kSyscall = 1u << 11, kNx = 1u << 20, kPages1G = 1u << 26, kRdtscp = 1u << 27,
                   kLongMode = 1u << 29;
// Leaf 0x4000'0001: what makes time and interrupts cheap under KVM is no property of the processor, so
// baseline keeps it.

// Topology levels of leaf 0xb, ECX[15:8].
constexpr uint32_t kLevelThread = 1, kLevelCore = 2;

// Bits of an APIC id that number the cores of the package.
uint32_t core_bits(uint32_t cpus) {
    return static_cast<uint32_t>(std::bit_width(cpus - 1));
}

template <class Change>
void for_each(CpuidTable& table, uint32_t function, Change change) {
    for (CpuidLeaf& leaf : table) {
        if (leaf.function == function) change(leaf);
    }
}

void erase(CpuidTable& table, uint32_t function) {
    std::erase_if(table, [function](const CpuidLeaf& leaf) { return leaf.function == function; });
}

// One core with one thread each: level "thread" has 1, level "core" all of them, and an empty level ends the
// list.
void add_topology(CpuidTable& table, uint32_t function, uint32_t cpus) {
    erase(table, function);
    table.push_back(CpuidLeaf{function, 0, true, 0, 1, kLevelThread << 8, 0});
    table.push_back(CpuidLeaf{function, 1, true, core_bits(cpus), cpus, 1 | kLevelCore << 8, 0});
    table.push_back(CpuidLeaf{function, 2, true, 0, 0, 2, 0});
}

// EAX[25:14]: how many logical processors share the cache, less one. Levels 1 and 2 are a core's own.
void share_cache(CpuidLeaf& leaf, uint32_t cpus) {
    constexpr uint32_t kShift = 14, kMask = 0xfffu << kShift;
    const uint32_t level = leaf.eax >> 5 & 7;
    const uint32_t sharing = level >= 3 ? (1u << core_bits(cpus)) - 1 : 0;
    leaf.eax = (leaf.eax & ~kMask) | sharing << kShift;
}

// Leaf 0: "AuthenticAMD", and Hygon's processors, which are AMD's.
bool is_amd(const CpuidTable& table) {
    constexpr uint32_t kAuth = 0x6874'7541, kHygo = 0x6f67'7948;  // the first four letters, in EBX
    return std::ranges::any_of(table, [](const CpuidLeaf& leaf) {
        return leaf.function == kBasic && (leaf.ebx == kAuth || leaf.ebx == kHygo);
    });
}

// Reserved on Intel's.
void set_amd_core_count(CpuidTable& table, uint32_t cpus) {
    for_each(table, kExtendedFeatures, [cpus](CpuidLeaf& leaf) {
        leaf.ecx = cpus > 1 ? leaf.ecx | kCmpLegacy : leaf.ecx & ~kCmpLegacy;
    });
    for_each(table, kAddressSizes, [cpus](CpuidLeaf& leaf) {
        leaf.ecx = (leaf.ecx & 0xffff'0000) | core_bits(cpus) << 12 | std::min(cpus - 1, 255u);
    });
}

void set_topology(CpuidTable& table, uint32_t cpus) {
    for_each(table, kFeatures, [cpus](CpuidLeaf& leaf) {
        leaf.ebx = (leaf.ebx & 0x0000ffff) | std::min(cpus, 255u) << 16;
        leaf.edx = cpus > 1 ? leaf.edx | kHtt : leaf.edx & ~kHtt;
    });
    for_each(table, kCaches, [cpus](CpuidLeaf& leaf) {
        if ((leaf.eax & 0x1f) == 0) return;  // the empty leaf that ends the list
        share_cache(leaf, cpus);
        leaf.eax = (leaf.eax & 0x03ff'ffff) | std::min((1u << core_bits(cpus)) - 1, 63u) << 26;
    });
    for_each(table, kCachesAmd, [cpus](CpuidLeaf& leaf) {
        if ((leaf.eax & 0x1f) != 0) share_cache(leaf, cpus);
    });
    if (is_amd(table)) set_amd_core_count(table, cpus);
    for_each(table, kTopologyAmd, [](CpuidLeaf& leaf) { leaf.ebx = leaf.ecx = leaf.edx = 0; });
    if (std::any_of(table.begin(), table.end(),
                    [](const CpuidLeaf& l) { return l.function == kTopologyV2; })) {
        add_topology(table, kTopologyV2, cpus);
    }
    add_topology(table, kTopology, cpus);
    for_each(table, kBasic, [](CpuidLeaf& leaf) { leaf.eax = std::max(leaf.eax, kTopology); });
}

// AMX needs a permission that a process must ask for (arch_prctl, ARCH_REQ_XCOMP_GUEST_PERM), and we don't:
// KVM then offers half of its state, or its instructions without its state. XCR0 with one of the two bits
// raises #GP (SDM volume 1, 13.3), so a guest that believed the list would die early.
void hide_amx_without_state(CpuidTable& table) {
    constexpr uint32_t kTileState = 3u << 17;                       // leaf 0xd, EAX: XTILECFG, XTILEDATA
    constexpr uint32_t kAmx = 1u << 22 | 1u << 24 | 1u << 25;       // leaf 7.0, EDX: BF16, TILE, INT8
    constexpr uint32_t kAmxFp16 = 1u << 21, kAmxComplex = 1u << 8;  // leaf 7.1, EAX and EDX
    constexpr uint32_t kTileInformation = 0x1d, kTmul = 0x1e;
    bool whole = false;
    for_each(table, kXsave, [&whole](CpuidLeaf& leaf) {
        if (leaf.index == 0) whole = (leaf.eax & kTileState) == kTileState;
    });
    if (whole) return;
    for_each(table, kXsave, [](CpuidLeaf& leaf) {
        if (leaf.index == 0) leaf.eax &= ~kTileState;
    });
    for_each(table, kStructured, [](CpuidLeaf& leaf) {
        if (leaf.index == 0) leaf.edx &= ~kAmx;
        if (leaf.index == 1) leaf.eax &= ~kAmxFp16;
        if (leaf.index == 1) leaf.edx &= ~kAmxComplex;
    });
    std::erase_if(table, [](const CpuidLeaf& leaf) {
        const bool tile_component = leaf.function == kXsave && (leaf.index == 17 || leaf.index == 18);
        return tile_component || leaf.function == kTileInformation || leaf.function == kTmul;
    });
}

// x86-64-v2 (System V ABI, AMD64 supplement, 3.1.1) and what a kernel needs to run well: the same on every
// host.
void reduce_to_baseline(CpuidTable& table) {
    for_each(table, kFeatures, [](CpuidLeaf& leaf) {
        leaf.ecx &= kSse3 | kSsse3 | kCx16 | kSse41 | kSse42 | kX2apic | kPopcnt | kTscDeadline | kHypervisor;
    });
    for (const uint32_t function : {kMonitor, kStructured, kPerformance, kXsave}) {
        for_each(table, function, [](CpuidLeaf& leaf) { leaf.eax = leaf.ebx = leaf.ecx = leaf.edx = 0; });
    }
    for_each(table, kThermal, [](CpuidLeaf& leaf) {
        leaf.eax &= kArat;
        leaf.ebx = leaf.ecx = leaf.edx = 0;
    });
    for_each(table, kExtendedFeatures, [](CpuidLeaf& leaf) {
        leaf.ecx &= kLahf | kCmpLegacy;
        // The low bits repeat leaf 1's EDX on AMD (APM volume 3, E.4.2); they are v1 and stay.
        leaf.edx &= 0x0183'f3ff | kSyscall | kNx | kPages1G | kRdtscp | kLongMode;
    });
    for_each(table, kAddressSizes, [](CpuidLeaf& leaf) { leaf.ebx = 0; });
    std::erase_if(table, [](const CpuidLeaf& leaf) {
        const bool basic =
            leaf.function > kXsave && leaf.function < kKvmFirst && leaf.function != kTopologyV2;
        return basic || leaf.function > kTopologyAmd;
    });
    for_each(table, kBasic, [](CpuidLeaf& leaf) { leaf.eax = std::min(leaf.eax, kXsave); });
    erase(table, kTopologyV2);
}

}  // namespace

CpuidTable machine_cpuid(const CpuidTable& supported, CpuModel model, uint32_t cpus, bool tsc_deadline) {
    CpuidTable table = supported;
    for_each(table, kFeatures, [tsc_deadline](CpuidLeaf& leaf) {
        leaf.ecx |= kHypervisor;
        leaf.ecx = tsc_deadline ? leaf.ecx | kTscDeadline : leaf.ecx & ~kTscDeadline;
    });
    hide_amx_without_state(table);
    if (model == CpuModel::kBaseline) reduce_to_baseline(table);
    set_topology(table, cpus);
    return cpuid_of(table, 0);
}

CpuidTable cpuid_of(const CpuidTable& machine, uint32_t apic_id) {
    CpuidTable table = machine;
    for_each(table, kFeatures, [apic_id](CpuidLeaf& leaf) {
        leaf.ebx = (leaf.ebx & 0x00ff'ffff) | std::min(apic_id, 255u)
                                                  << 24;  // 8 bits: larger ids need leaf 0xb
    });
    for (const uint32_t function : {kTopology, kTopologyV2}) {
        for_each(table, function, [apic_id](CpuidLeaf& leaf) { leaf.edx = apic_id; });
    }
    for_each(table, kTopologyAmd, [apic_id](CpuidLeaf& leaf) {
        leaf.eax = apic_id;
        leaf.ebx = apic_id & 0xff;  // core id; one thread a core
    });
    return table;
}

uint64_t initial_xcr0(const CpuidTable& table) {
    constexpr uint32_t kXsavec = 1u << 1;  // leaf 0xd, sub-leaf 1, EAX
    uint64_t supported = 1;
    bool xsavec = false;
    for (const CpuidLeaf& leaf : table) {
        if (leaf.function != kXsave) continue;
        if (leaf.index == 0) supported |= leaf.eax | uint64_t{leaf.edx} << 32;
        if (leaf.index == 1) xsavec = (leaf.eax & kXsavec) != 0;
    }
    return xsavec ? 1 : supported;
}

}  // namespace carrel
