// No decision allocates: the core's room is made when guests and vCPUs are added.
#include <algorithm>
#include <cstdlib>
#include <new>
#include <vector>

#include "tests/catch.h"
#include "vmm/sched/policy_core.h"

namespace {
size_t allocations = 0;
}

void* operator new(size_t size) {
    ++allocations;
    if (void* const memory = std::malloc(size)) return memory;
    throw std::bad_alloc();
}
void* operator new(size_t size, const std::nothrow_t&) noexcept {
    ++allocations;
    return std::malloc(size);
}
void* operator new(size_t size, std::align_val_t alignment) {
    ++allocations;
    const auto align = static_cast<size_t>(alignment);
    if (void* const memory = std::aligned_alloc(align, (size + align - 1) / align * align)) return memory;
    throw std::bad_alloc();
}
void operator delete(void* memory) noexcept {
    std::free(memory);
}
void operator delete(void* memory, size_t) noexcept {
    std::free(memory);
}
void operator delete(void* memory, std::align_val_t) noexcept {
    std::free(memory);
}
void operator delete(void* memory, size_t, std::align_val_t) noexcept {
    std::free(memory);
}

using namespace carrel;
using namespace carrel::sched;

TEST_CASE("a thousand vCPUs are scheduled for seconds, and nothing is allocated") {
    const auto policy = GENERATE(from_range(kPolicies));
    PolicyCore::Options options;
    options.cpus = 8;
    options.policy = policy;
    PolicyCore core(options);
    std::vector<VcpuId> vcpus;
    for (uint32_t i = 0; i < 500; ++i) {
        CpuQuota quota;
        if (i % 3 != 0) quota.cap = kWholeCpu / 50;
        if (i % 7 == 0) quota.reserve = kWholeCpu / 100;
        quota.weight = 1 + i;
        const GuestId guest = core.add_guest(quota, 0);
        for (int n = 0; n < 2; ++n) vcpus.push_back(core.add_vcpu(guest, 0));
    }
    std::vector<Lease> leases;
    leases.reserve(vcpus.size());
    const size_t before = allocations;
    for (const VcpuId vcpu : vcpus) core.wake(vcpu, 0, 0);
    uint64_t granted = 0;
    for (Nanoseconds now = 0; now < 2 * kSecond; now += kMillisecond) {
        while (const auto lease = core.next_grant(now)) leases.push_back(*lease), ++granted;
        while (core.next_recall(now)) {
        }
        for (const Lease& lease : leases) {
            const Nanoseconds used = std::min(lease.length, kMillisecond);
            if (++granted % 5 == 0) {
                core.block(lease.vcpu, used, now);
                core.wake(lease.vcpu, 0, now);
            } else {
                core.expire(lease.vcpu, used, now);
            }
        }
        leases.clear();
        core.charge_io(GuestId{1}, 1000, now);
        (void)core.io_allowed(GuestId{1}, now);
        (void)core.next_event();
    }
    const size_t after = allocations;
    CHECK(granted > 10'000);
    CHECK(after == before);
}
