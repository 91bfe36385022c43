#include "vmm/kvm/doorbells.h"

#include <fmt/format.h>
#include <linux/kvm.h>

#include <cerrno>

#include "vmm/kvm/ioctl.h"

namespace carrel::kvm {

// KVM finds a binding again by all that it was made with.
class KvmDoorbells::Binding final : public Doorbell {
  public:
    Binding(const KvmDoorbells& doorbells, const kvm_ioeventfd& made) : doorbells_(doorbells), made_(made) {}
    Binding(const Binding&) = delete;
    Binding& operator=(const Binding&) = delete;
    ~Binding() override {
        if (doorbells_.left_.load(std::memory_order_relaxed)) return;
        made_.flags |= KVM_IOEVENTFD_FLAG_DEASSIGN;
        retry_ioctl(doorbells_.vm_, KVM_IOEVENTFD, &made_);
    }

  private:
    const KvmDoorbells& doorbells_;
    kvm_ioeventfd made_;
};

Result<std::unique_ptr<Doorbell>> KvmDoorbells::bind(AddressSpace space, uint64_t address, uint32_t size,
                                                     std::optional<uint64_t> match, int event_fd) {
    const bool port = space == AddressSpace::kPorts;
    const auto where = fmt::format("{} {:#x}", port ? "port" : "address", address);
    if (size == 0 && match) return usage_error(where + ": a doorbell of any width can't look at the value");
    if (size == 0 && !any_length_) {
        return host_error("this host's KVM lacks KVM_CAP_IOEVENTFD_ANY_LENGTH, which doorbells need",
                          "use a host with Linux 4.4 or newer");
    }
    kvm_ioeventfd wanted{};
    wanted.addr = address;
    wanted.len = size;
    wanted.fd = event_fd;
    wanted.datamatch = match.value_or(0);
    if (match) wanted.flags |= KVM_IOEVENTFD_FLAG_DATAMATCH;
    if (port) wanted.flags |= KVM_IOEVENTFD_FLAG_PIO;
    if (retry_ioctl(vm_, KVM_IOEVENTFD, &wanted) == 0)
        return std::unique_ptr<Doorbell>(std::make_unique<Binding>(*this, wanted));
    if (errno == EEXIST) return usage_error(where + " is bound to another doorbell");
    return os_error(errno, "KVM refused to bind a doorbell to " + where);
}

}  // namespace carrel::kvm
