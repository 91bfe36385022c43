#include "vmm/kvm/msi_routes.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>

#include "vmm/base/fd.h"
#include "vmm/kvm/abi_x86.h"
#include "vmm/kvm/ioctl.h"
#include "vmm/model/address_map_x86.h"

namespace carrel::kvm {
namespace {

// GSIs 0 to 15 lead to a pin of the PICs and one of the IOAPIC, 16 to 23 to the IOAPIC only (KVM's own table,
// 4.24).
constexpr uint32_t kFirstGsi = address_map::kIoApicPins;
constexpr uint32_t kPicGsis = 16;
constexpr uint32_t kPicPins = 8;
constexpr uint32_t kChipRoutes = kPicGsis + address_map::kIoApicPins;

kvm_irq_routing_entry chip_route(uint32_t gsi, uint32_t chip, uint32_t pin) {
    kvm_irq_routing_entry entry{};
    entry.gsi = gsi;
    entry.type = KVM_IRQ_ROUTING_IRQCHIP;
    entry.u.irqchip.irqchip = chip;
    entry.u.irqchip.pin = pin;
    return entry;
}

kvm_irq_routing_entry msi_route(uint32_t gsi, const MsiMessage& message) {
    kvm_irq_routing_entry entry{};
    entry.gsi = gsi;
    entry.type = KVM_IRQ_ROUTING_MSI;
    entry.u.msi.address_lo = static_cast<uint32_t>(message.address);
    entry.u.msi.address_hi = static_cast<uint32_t>(message.address >> 32);
    entry.u.msi.data = message.data;
    return entry;
}

void push_chip_routes(abi::IrqRoutingList& list) {
    for (uint32_t gsi = 0; gsi < address_map::kIoApicPins; ++gsi) {
        list.push(chip_route(gsi, KVM_IRQCHIP_IOAPIC, gsi));
        if (gsi >= kPicGsis) continue;
        const uint32_t pic = gsi < kPicPins ? KVM_IRQCHIP_PIC_MASTER : KVM_IRQCHIP_PIC_SLAVE;
        list.push(chip_route(gsi, pic, gsi % kPicPins));
    }
}

// A message reaches a local APIC at addresses 0xfeexxxxx only (SDM volume 3, 11.11.1). KVM doesn't look, so
// we do; without KVM_CAP_X2APIC_API it ignores the upper half. Elsewhere it would be a write to memory, which
// no driver wants.
bool reaches_a_processor(const MsiMessage& message) {
    constexpr uint64_t kApicRange = ~uint64_t{0xfffff};
    return (message.address & kApicRange) == raw(address_map::kLocalApic);
}

Result<void> set_irqfd(const char* what, int vm, int event_fd, uint32_t gsi, uint32_t flags) {
    kvm_irqfd irqfd{};
    irqfd.fd = static_cast<uint32_t>(event_fd);
    irqfd.gsi = gsi;
    irqfd.flags = flags;
    TRY(checked_ioctl(what, vm, KVM_IRQFD, &irqfd));
    return {};
}

}  // namespace

class MsiRoutes::Interrupt final : public MessageInterrupt {
  public:
    Interrupt(MsiRoutes& routes, uint32_t gsi, Fd event)
        : routes_(routes), gsi_(gsi), event_(std::move(event)) {}
    Interrupt(const Interrupt&) = delete;
    Interrupt& operator=(const Interrupt&) = delete;
    ~Interrupt() override { routes_.give_back(gsi_, event_.get()); }

    Result<void> route(const MsiMessage& message) override {
        if (!reaches_a_processor(message)) {
            unroute();
            return {};
        }
        auto done = routes_.route(gsi_, message);
        routed_.store(done.ok(), std::memory_order_release);
        return done;
    }
    void unroute() override {
        routed_.store(false, std::memory_order_relaxed);
        (void)routes_.route(gsi_, std::nullopt).ok();
    }
    // KVM takes the count away at once, so that it can't be full. On a GSI without a route it does so in a
    // thread of its own, which may find a route that came later: hence the flag.
    void signal() noexcept override {
        constexpr uint64_t kOnce = 1;
        if (routed_.load(std::memory_order_acquire)) (void)!::write(event_.get(), &kOnce, sizeof kOnce);
    }
    int descriptor() const override { return event_.get(); }

  private:
    MsiRoutes& routes_;
    const uint32_t gsi_;
    const Fd event_;
    std::atomic<bool> routed_{false};
};

MsiRoutes::Place& MsiRoutes::place_of(uint32_t gsi) {
    return places_[gsi - kFirstGsi];
}

Result<uint32_t> MsiRoutes::free_place() {
    const auto free = std::find_if(places_.begin(), places_.end(), [](const Place& p) { return !p.taken; });
    const auto index = static_cast<uint32_t>(free - places_.begin());
    if (free != places_.end()) return kFirstGsi + index;
    if (most_ == 0)
        return host_error(
            "this host's KVM lacks KVM_CAP_IRQ_ROUTING or KVM_CAP_IRQFD, which PCI devices need");
    if (kChipRoutes + index >= most_) {
        return host_error(fmt::format("KVM has no more than {} message interrupts for a guest", index),
                          "use fewer devices or fewer queues");
    }
    places_.emplace_back();
    return kFirstGsi + index;
}

// The irqfd stays for good, routed or not: KVM takes and drops what is signalled on a GSI without a route.
Result<std::unique_ptr<MessageInterrupt>> MsiRoutes::create() {
    Fd event(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
    if (!event.valid()) {
        return os_error(
            errno, "cannot make an interrupt's eventfd",
            errno == EMFILE || errno == ENFILE ? "raise the limit on open files (ulimit -n)" : "");
    }
    MutexLock lock(mutex_);
    TRY_ASSIGN(const uint32_t gsi, free_place());
    if (stale_) TRY(commit());
    TRY(set_irqfd("connect an interrupt's eventfd", vm_, event.get(), gsi, 0));
    place_of(gsi).taken = true;
    return std::unique_ptr<MessageInterrupt>(std::make_unique<Interrupt>(*this, gsi, std::move(event)));
}

Result<void> MsiRoutes::route(uint32_t gsi, const std::optional<MsiMessage>& message) {
    MutexLock lock(mutex_);
    Place& place = place_of(gsi);
    if (place.message == message && !stale_) return {};
    place.message = message;
    auto done = commit();
    if (done.ok() || !message) return done;
    place.message.reset();  // and whatever KVM has for it goes with the next table
    stale_ = true;
    return done;
}

Result<void> MsiRoutes::commit() {
    abi::IrqRoutingList list(kChipRoutes + places_.size());
    push_chip_routes(list);
    for (uint32_t i = 0; i < places_.size(); ++i) {
        if (places_[i].message) list.push(msi_route(kFirstGsi + i, *places_[i].message));
    }
    stale_ = true;
    TRY(checked_ioctl("route interrupts", vm_, abi::kSetGsiRouting, list.header()));
    stale_ = false;
    return {};
}

// The route is left for the next table to drop, before the GSI is anybody else's: nothing can raise it.
void MsiRoutes::give_back(uint32_t gsi, int event_fd) {
    MutexLock lock(mutex_);
    if (!left_)
        (void)set_irqfd("disconnect an interrupt's eventfd", vm_, event_fd, gsi, KVM_IRQFD_FLAG_DEASSIGN)
            .ok();
    stale_ = stale_ || place_of(gsi).message.has_value();
    place_of(gsi) = Place{};
}

void MsiRoutes::leave_to_kernel() {
    MutexLock lock(mutex_);
    left_ = true;
}

}  // namespace carrel::kvm
