#include "vmm/machine/cpuid_x86.h"

#include <algorithm>

#include "tests/catch.h"

using namespace carrel;

namespace {

constexpr CpuidLeaf kIntel{0, 0, false, 0x1f, 0x756e'6547, 0x6c65'746e, 0x4965'6e69};
constexpr CpuidLeaf kAmd{0, 0, false, 0x10, 0x6874'7541, 0x444d'4163, 0x6974'6e65};

// The leaves that a topology shows in, as a host of many cores would have them.
CpuidTable host(const CpuidLeaf& vendor) {
    return {vendor,
            {1, 0, false, 0, 0x0040'0800, 0, 1u << 28},
            {4, 3, true, 0xfc1f'c163, 0, 0, 0},
            {6, 0, false, 0x77, 2, 9, 0},
            {7, 0, true, 1, 0, 0, 1u << 22 | 1u << 24 | 1u << 25 | 1u << 26},
            {7, 1, true, 1u << 21 | 1u << 4, 0, 0, 1u << 8 | 1u << 4},
            {0xb, 0, true, 1, 2, 0x100, 9},
            {0xd, 0, true, 0x207, 0, 0, 0},
            {0x1d, 0, true, 1, 0, 0, 0},
            {0x8000'0001, 0, false, 0, 0, 1u << 1, 0},
            {0x8000'0008, 0, false, 0x3030, 0, 0x7fff, 0}};
}

const CpuidLeaf* find(const CpuidTable& table, uint32_t function, uint32_t index = 0) {
    const auto found = std::ranges::find_if(
        table, [&](const CpuidLeaf& leaf) { return leaf.function == function && leaf.index == index; });
    return found != table.end() ? &*found : nullptr;
}

CpuidTable machine(const CpuidLeaf& vendor, uint32_t cpus) {
    return machine_cpuid(host(vendor), CpuModel::kHost, cpus, true);
}

}  // namespace

TEST_CASE("cpuid: the topology is one package of `cpus` cores with one thread each") {
    const uint32_t cpus = GENERATE(1u, 2u, 3u, 6u, 64u, 255u);
    uint32_t bits = 0;
    while ((1u << bits) < cpus) ++bits;
    const CpuidTable table = machine(GENERATE(kIntel, kAmd), cpus);
    INFO(cpus << " vCPUs");
    CHECK((find(table, 1)->ebx >> 16 & 0xff) == cpus);
    CHECK(((find(table, 1)->edx & 1u << 28) != 0) == (cpus > 1));
    REQUIRE(find(table, 0xb, 1) != nullptr);
    CHECK(find(table, 0xb, 0)->ebx == 1);
    CHECK(find(table, 0xb, 1)->ebx == cpus);
    CHECK(find(table, 0xb, 1)->eax == bits);
    CHECK(find(table, 0xb, 2)->ebx == 0);
    CHECK((find(table, 4, 3)->eax >> 14 & 0xfff) + 1 == 1u << bits);
}

TEST_CASE("cpuid: each vCPU has its own APIC id in leaves 1 and 0xb") {
    const CpuidTable table = cpuid_of(machine(kIntel, 6), 5);
    CHECK(find(table, 1)->ebx >> 24 == 5);
    for (const uint32_t level : {0u, 1u, 2u}) CHECK(find(table, 0xb, level)->edx == 5);
}

TEST_CASE("cpuid: AMD's core counts are set on AMD's processors only") {
    CHECK((find(machine(kAmd, 6), 0x8000'0001)->ecx & 1u << 1) != 0);
    CHECK((find(machine(kAmd, 6), 0x8000'0008)->ecx & 0xffff) == (3u << 12 | 5));
    CHECK((find(machine(kAmd, 1), 0x8000'0001)->ecx & 1u << 1) == 0);
    CHECK(find(machine(kIntel, 6), 0x8000'0008)->ecx == host(kIntel).back().ecx);
}

TEST_CASE("cpuid: AMX whose state KVM doesn't offer whole is hidden whole") {
    auto supported = host(kIntel);
    auto* const xsave = const_cast<CpuidLeaf*>(find(supported, 0xd));
    const bool whole = GENERATE(false, true);
    xsave->eax |= whole ? 3u << 17 : 1u << 17;
    const CpuidTable table = machine_cpuid(supported, CpuModel::kHost, 1, true);
    CHECK((find(table, 0xd)->eax >> 17 & 3) == (whole ? 3u : 0u));
    CHECK((find(table, 7)->edx & 1u << 24) == (whole ? 1u << 24 : 0u));
    CHECK((find(table, 7)->edx & 1u << 26) != 0);  // IBRS is no part of it
    CHECK((find(table, 7, 1)->eax & 1u << 4) != 0);
    CHECK(((find(table, 7, 1)->eax & 1u << 21) != 0) == whole);
    CHECK((find(table, 0x1d) != nullptr) == whole);
}

TEST_CASE("cpuid: the deadline timer is there exactly where KVM says so, a hypervisor always") {
    for (const bool deadline : {false, true}) {
        const CpuidTable table = machine_cpuid(host(kAmd), CpuModel::kHost, 1, deadline);
        CHECK(((find(table, 1)->ecx & 1u << 24) != 0) == deadline);
        CHECK((find(table, 1)->ecx & 1u << 31) != 0);
    }
}

TEST_CASE("cpuid: baseline has no leaf beyond x86-64-v2's") {
    const CpuidTable table = machine_cpuid(host(kIntel), CpuModel::kBaseline, 2, true);
    CHECK(find(table, 6)->eax == 4);  // an APIC timer that never stops, and nothing of the host's
    CHECK(find(table, 6)->ecx == 0);
    CHECK(find(table, 7)->edx == 0);
    CHECK(find(table, 0xd)->eax == 0);
    CHECK(find(table, 0)->eax == 0xd);
}

TEST_CASE("cpuid: XCR0 begins with all that there is only where XSAVEC can't tell the size") {
    CpuidTable table = {{0xd, 0, true, 0x207, 0, 0, 0}, {0xd, 1, true, 0, 0, 0, 0}};
    CHECK(initial_xcr0(table) == 0x207);
    table[1].eax = 1u << 1;
    CHECK(initial_xcr0(table) == 1);
    CHECK(initial_xcr0({}) == 1);
}
