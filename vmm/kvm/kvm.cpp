#include "vmm/kvm/kvm.h"

#include <fcntl.h>
#include <linux/kvm.h>
#include <sys/stat.h>

#include <algorithm>
#include <cstring>

#include "vmm/kvm/abi_x86.h"
#include "vmm/kvm/ioctl.h"
#include "vmm/kvm/vm.h"

namespace carrel::kvm {
namespace {

constexpr int kApiVersion = 12;  // 4.1

constexpr RequiredCapability kRequired[] = {
    {KVM_CAP_USER_MEMORY, "USER_MEMORY"},
    {KVM_CAP_IRQCHIP, "IRQCHIP"},
    {KVM_CAP_PIT2, "PIT2"},
    {KVM_CAP_EXT_CPUID, "EXT_CPUID"},
    {KVM_CAP_MP_STATE, "MP_STATE"},
    {KVM_CAP_IMMEDIATE_EXIT, "IMMEDIATE_EXIT"},
};

constexpr const char* kBusyAdvice =
    "another hypervisor (VirtualBox, VMware) holds the processor's virtualisation: stop its machines, or "
    "unload its module";

// A group helps only where the mode lets it read and write. The group's name is left to stat(1): looking it
// up here would load the name services of a network.
std::string permission_advice(const std::string& path) {
    struct stat file {};
    const bool group_helps =
        ::stat(path.c_str(), &file) == 0 && (file.st_mode & 060) == 060 && file.st_gid != 0;
    if (group_helps) {
        return "join its group: sudo usermod -aG $(stat -c %G " + path +
               ") $USER, then log in again; on a CI runner: " + "sudo chmod 666 " + path;
    }
    return "its mode lets only its owner in: sudo chmod 666 " + path +
           " until the next reboot; carrel doctor shows a udev rule that lasts";
}

Error explain_open_failure(const std::string& path, const Error& cause, int code) {
    switch (code) {
        case ENOENT:
            return host_error(cause.what,
                              "this host has no KVM: load kvm_intel or kvm_amd (modprobe), switch on nested "
                              "virtualisation if this is a virtual machine, or use tools/kvm-host");
        case EACCES: return host_error(cause.what, permission_advice(path));
        case EPERM: return host_error(cause.what, "if this is a container, start it with --device " + path);
        case EBUSY:
        case ENODEV: return host_error(cause.what, kBusyAdvice);
        default: return cause;
    }
}

}  // namespace

Result<Kvm> Kvm::open(Opener& opener, const std::string& path) {
    errno = 0;
    auto opened = opener.open(path, O_RDWR);
    if (!opened.ok()) return explain_open_failure(path, opened.error(), errno);
    Kvm kvm(std::move(*opened));
    const int version = retry_ioctl(kvm.fd(), KVM_GET_API_VERSION, 0);
    if (version != kApiVersion) {
        return host_error(path + " isn't KVM with API version 12",
                          "name the right device, or load the kvm module");
    }
    return kvm;
}

int Kvm::check(long capability) const {
    return std::max(0, retry_ioctl(fd(), KVM_CHECK_EXTENSION, capability));
}

std::span<const RequiredCapability> required_capabilities() {
    return kRequired;
}

Result<void> Kvm::check_required() const {
    for (const RequiredCapability& needed : kRequired) {
        if (check(needed.number) > 0) continue;
        return host_error(
            std::string("this host's KVM lacks KVM_CAP_") + needed.name + ", which no guest runs without",
            "use a host with Linux 4.13 or newer");
    }
    return {};
}

uint32_t Kvm::max_vcpus() const {
    const int most = check(KVM_CAP_MAX_VCPUS);
    return static_cast<uint32_t>(most > 0 ? most : check(KVM_CAP_NR_VCPUS));
}

Result<CpuidTable> Kvm::supported_cpuid() const {
    constexpr size_t kMostEntries = 512;
    abi::CpuidList list(kMostEntries);
    list.header()->count = kMostEntries;
    TRY(checked_ioctl("list the CPUID leaves", fd(), abi::kGetSupportedCpuid, list.header()));
    CpuidTable table;
    for (const kvm_cpuid_entry2& e : list.entries()) {
        const bool index_matters = (e.flags & KVM_CPUID_FLAG_SIGNIFCANT_INDEX) != 0;
        table.push_back(CpuidLeaf{e.function, e.index, index_matters, e.eax, e.ebx, e.ecx, e.edx});
    }
    return table;
}

Result<std::vector<uint32_t>> Kvm::msr_list() const {
    constexpr size_t kMostMsrs = 1024;
    abi::MsrIndexList list(kMostMsrs);
    list.header()->count = kMostMsrs;
    TRY(checked_ioctl("list the MSRs", fd(), abi::kGetMsrIndexList, list.header()));
    return std::vector<uint32_t>(list.entries().begin(), list.entries().end());
}

Result<size_t> Kvm::run_size() const {
    TRY_ASSIGN(const int size, checked_ioctl("tell the size of kvm_run", fd(), KVM_GET_VCPU_MMAP_SIZE, 0));
    return static_cast<size_t>(size);
}

Result<std::unique_ptr<Vm>> Kvm::create_vm() const {
    VmAbilities abilities;
    TRY_ASSIGN(abilities.run_size, run_size());
    abilities.coalesced_pio = check(KVM_CAP_COALESCED_PIO) > 0;
    if (check(KVM_CAP_IRQFD) > 0) abilities.irq_routes = static_cast<uint32_t>(check(KVM_CAP_IRQ_ROUTING));
    abilities.ioeventfd_any_length = check(KVM_CAP_IOEVENTFD_ANY_LENGTH) > 0;
    const int vm = retry_ioctl(fd(), KVM_CREATE_VM, 0);
    if (vm < 0)
        return os_error(errno, "KVM refused to create a virtual machine", errno == EBUSY ? kBusyAdvice : "");
    return std::make_unique<Vm>(Fd(vm), abilities);
}

}  // namespace carrel::kvm
