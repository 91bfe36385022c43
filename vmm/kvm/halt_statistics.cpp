#include "vmm/kvm/halt_statistics.h"

#include <linux/kvm.h>
#include <unistd.h>

#include <cstddef>
#include <cstring>
#include <optional>
#include <string_view>
#include <vector>

#include "vmm/kvm/ioctl.h"

namespace carrel::kvm {
namespace {

// A descriptor without its name. Not its sizeof: the header's empty struct before the name has a size in C++.
constexpr size_t kDescriptorSize =
    offsetof(kvm_stats_desc, bucket_size) + sizeof(kvm_stats_desc::bucket_size);

// Where the file has the value of statistic `name`.
std::optional<uint64_t> offset_of(std::string_view name, const kvm_stats_header& header,
                                  const std::vector<char>& descriptors) {
    const size_t step = kDescriptorSize + header.name_size;
    for (size_t at = 0; at + step <= descriptors.size(); at += step) {
        kvm_stats_desc descriptor{};
        std::memcpy(&descriptor, descriptors.data() + at, kDescriptorSize);
        const std::string_view found(descriptors.data() + at + kDescriptorSize, header.name_size);
        if (found.substr(0, found.find('\0')) == name)
            return uint64_t{header.data_offset} + descriptor.offset;
    }
    return std::nullopt;
}

}  // namespace

Result<HaltStatistics> HaltStatistics::open(int vcpu) {
    TRY_ASSIGN(const int raw, checked_ioctl("give a vCPU's statistics", vcpu, KVM_GET_STATS_FD, 0));
    return of(Fd(raw));
}

// By the name that the kernel gives it: reading from anything else might wait.
Result<HaltStatistics> HaltStatistics::adopt(Fd statistics) {
    constexpr std::string_view kName = "anon_inode:kvm-vcpu-stats";
    char name[64];
    const std::string link = "/proc/self/fd/" + std::to_string(statistics.get());
    const ssize_t size = ::readlink(link.c_str(), name, sizeof name);
    if (size < 0 || !std::string_view(name, static_cast<size_t>(size)).starts_with(kName))
        return host_error("these are no vCPU's statistics");
    return of(std::move(statistics));
}

Result<HaltStatistics> HaltStatistics::of(Fd fd) {
    kvm_stats_header header{};
    constexpr uint32_t kMostStatistics = 4096;
    const bool whole = ::pread(fd.get(), &header, sizeof header, 0) == static_cast<ssize_t>(sizeof header);
    if (!whole || header.num_desc > kMostStatistics || header.name_size > kMostStatistics)
        return host_error("KVM's statistics of a vCPU can't be read");
    std::vector<char> descriptors(size_t{header.num_desc} * (kDescriptorSize + header.name_size));
    if (::pread(fd.get(), descriptors.data(), descriptors.size(), header.desc_offset) !=
        static_cast<ssize_t>(descriptors.size()))
        return host_error("KVM's statistics of a vCPU can't be read");
    const auto wait = offset_of("halt_wait_ns", header, descriptors);
    const auto blocking = offset_of("blocking", header, descriptors);
    if (!wait || !blocking) return host_error("this KVM doesn't count how long a vCPU is halted");
    return HaltStatistics(std::move(fd), *wait, *blocking);
}

HaltStatistics::Values HaltStatistics::read() const {
    return Values{static_cast<Nanoseconds>(value(wait_)), value(blocking_) != 0};
}

uint64_t HaltStatistics::value(uint64_t offset) const {
    uint64_t value = 0;
    (void)!::pread(fd_.get(), &value, sizeof value, static_cast<off_t>(offset));
    return value;
}

}  // namespace carrel::kvm
