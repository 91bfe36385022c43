// The KVM structures that end in arrays of unknown length, in our own words.
//
// <linux/kvm.h> of Debian 12 declares those arrays by __DECLARE_FLEX_ARRAY, which in C++ puts an empty struct
// of size 1 in front of them: sizes, offsets and therefore ioctl numbers come out wrong (EINVAL). Sizes here
// are the kernel's.
#pragma once

#include <linux/kvm.h>

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace carrel::kvm::abi {

struct CpuidHeader {  // kvm_cpuid2
    uint32_t count;
    uint32_t padding;
};
struct MsrsHeader {  // kvm_msrs
    uint32_t count;
    uint32_t padding;
};
struct MsrIndexHeader {  // kvm_msr_list
    uint32_t count;
};
struct IrqRoutingHeader {  // kvm_irq_routing
    uint32_t count;
    uint32_t flags;
};
struct Xsave {  // kvm_xsave; larger areas (AMX) need KVM_GET_XSAVE2, and permission that we don't ask for
    uint32_t region[1024];
};
struct CoalescedRingHeader {  // kvm_coalesced_mmio_ring
    uint32_t first;
    uint32_t last;
};
static_assert(sizeof(CoalescedRingHeader) == 8 && sizeof(kvm_coalesced_mmio) == 24);
static_assert(sizeof(CpuidHeader) == 8 && sizeof(kvm_cpuid_entry2) == 40);
static_assert(sizeof(MsrsHeader) == 8 && sizeof(kvm_msr_entry) == 16);
static_assert(sizeof(IrqRoutingHeader) == 8 && sizeof(kvm_irq_routing_entry) == 48);

inline constexpr unsigned long kGetMsrIndexList = _IOWR(KVMIO, 0x02, MsrIndexHeader);
inline constexpr unsigned long kGetSupportedCpuid = _IOWR(KVMIO, 0x05, CpuidHeader);
inline constexpr unsigned long kSetGsiRouting = _IOW(KVMIO, 0x6a, IrqRoutingHeader);
inline constexpr unsigned long kGetMsrs = _IOWR(KVMIO, 0x88, MsrsHeader);
inline constexpr unsigned long kSetMsrs = _IOW(KVMIO, 0x89, MsrsHeader);
inline constexpr unsigned long kSetCpuid = _IOW(KVMIO, 0x90, CpuidHeader);
inline constexpr unsigned long kGetXsave = _IOR(KVMIO, 0xa4, Xsave);
inline constexpr unsigned long kSetXsave = _IOW(KVMIO, 0xa5, Xsave);

// A header and room for `most` entries behind it.
template <class Header, class Entry>
class List {
  public:
    explicit List(size_t most) : storage_((sizeof(Header) + most * sizeof(Entry) + 7) / 8), most_(most) {}

    Header* header() { return reinterpret_cast<Header*>(storage_.data()); }
    // The entries that the header's count says, never more than there is room for.
    std::span<Entry> entries() { return all().first(header()->count < most_ ? header()->count : most_); }
    void push(const Entry& entry) { all()[header()->count++] = entry; }

  private:
    std::span<Entry> all() { return {reinterpret_cast<Entry*>(header() + 1), most_}; }
    std::vector<uint64_t> storage_;
    size_t most_;
};

using CpuidList = List<CpuidHeader, kvm_cpuid_entry2>;
using MsrList = List<MsrsHeader, kvm_msr_entry>;
using IrqRoutingList = List<IrqRoutingHeader, kvm_irq_routing_entry>;
using MsrIndexList = List<MsrIndexHeader, uint32_t>;

}  // namespace carrel::kvm::abi
