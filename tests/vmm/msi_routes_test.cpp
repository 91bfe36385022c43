// MSIs over a real KVM, as the local APIC of a vCPU that doesn't run sees them.
#include "vmm/kvm/msi_routes.h"

#include <linux/kvm.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <chrono>
#include <cstring>
#include <thread>
#include <vector>

#include "tests/catch.h"
#include "tests/vmm/kvm_rig.h"

using namespace carrel;

namespace {

constexpr uint64_t kApicZero = 0xfee0'0000;  // physical destination 0, fixed, edge (SDM volume 3, 11.11)

// The local APIC's registers (SDM volume 3, 11.4.1).
class Apic {
  public:
    explicit Apic(const kvm::Vcpu& vcpu) : vcpu_(vcpu) { clear(); }

    bool pending(uint8_t vector) {
        kvm_lapic_state state{};
        REQUIRE(::ioctl(vcpu_.fd(), KVM_GET_LAPIC, &state) == 0);
        uint32_t requests = 0;
        std::memcpy(&requests, state.regs + kRequests + vector / 32 * 16, sizeof requests);
        return (requests >> vector % 32 & 1) != 0;
    }
    // KVM may deliver from a thread of its own.
    bool becomes_pending(uint8_t vector) {
        for (int i = 0; i < 2000; ++i) {
            if (pending(vector)) return true;
            std::this_thread::sleep_for(std::chrono::milliseconds(1));
        }
        return false;
    }
    bool stays_quiet(uint8_t vector) {
        std::this_thread::sleep_for(std::chrono::milliseconds(5));
        return !pending(vector);
    }
    // Nothing pending, and software-enabled.
    void clear() {
        kvm_lapic_state state{};
        REQUIRE(::ioctl(vcpu_.fd(), KVM_GET_LAPIC, &state) == 0);
        std::memset(state.regs + kRequests, 0, size_t{8} * 16);
        const uint32_t enabled = 0x1ff;
        std::memcpy(state.regs + kSpurious, &enabled, sizeof enabled);
        REQUIRE(::ioctl(vcpu_.fd(), KVM_SET_LAPIC, &state) == 0);
    }

  private:
    static constexpr size_t kSpurious = 0xf0;
    static constexpr size_t kRequests = 0x200;
    const kvm::Vcpu& vcpu_;
};

// What KVM's PICs and IOAPIC show when each line was raised.
std::array<kvm_irqchip, 3> chips_with_all_lines_up(kvm::Vm& vm) {
    std::vector<std::unique_ptr<IrqLine>> lines;
    for (uint32_t gsi = 0; gsi < 24; ++gsi) {
        lines.push_back(vm.irq_line(gsi));
        lines.back()->set(true);
    }
    std::array<kvm_irqchip, 3> chips{};
    for (uint32_t id = 0; id < chips.size(); ++id) {
        chips[id].chip_id = id;
        REQUIRE(::ioctl(vm.fd(), KVM_GET_IRQCHIP, &chips[id]) == 0);
    }
    return chips;
}

}  // namespace

TEST_CASE("msi: a signal is the message that is routed, and nothing while none is") {
    auto rig = test::kvm_rig("msi: a signal is the message");
    if (!rig) return;
    Apic apic(*rig->vcpu);
    auto made = rig->vm->message_interrupts().create();
    REQUIRE(made.ok());
    MessageInterrupt& interrupt = **made;

    interrupt.signal();
    REQUIRE(interrupt.route({kApicZero, 0x41}).ok());
    CHECK(apic.stays_quiet(0x41));  // the signal before was dropped, not kept
    interrupt.signal();
    CHECK(apic.becomes_pending(0x41));

    REQUIRE(interrupt.route({kApicZero, 0x52}).ok());
    apic.clear();
    interrupt.signal();
    CHECK(apic.becomes_pending(0x52));
    CHECK_FALSE(apic.pending(0x41));

    interrupt.unroute();
    apic.clear();
    interrupt.signal();
    CHECK(apic.stays_quiet(0x52));

    REQUIRE(interrupt.route({kApicZero, 0x41}).ok());
    const uint64_t one = 1;
    REQUIRE(::write(interrupt.descriptor(), &one, sizeof one) == sizeof one);
    CHECK(apic.becomes_pending(0x41));
}

TEST_CASE("msi: a message to no local APIC goes nowhere, and is no error") {
    auto rig = test::kvm_rig("msi: a message to no local APIC");
    if (!rig) return;
    Apic apic(*rig->vcpu);
    auto made = rig->vm->message_interrupts().create();
    REQUIRE(made.ok());
    for (const uint64_t address : {uint64_t{0}, uint64_t{0x1000}, kApicZero - 4, kApicZero + 0x100000,
                                   kApicZero | uint64_t{1} << 32, ~uint64_t{0}}) {
        CHECK((*made)->route({address, 0x41}).ok());
        (*made)->signal();
        CHECK(apic.stays_quiet(0x41));
    }
}

TEST_CASE("msi: the chips' own lines stay routed") {
    auto plain = test::kvm_rig("msi: the chips' own lines");
    auto routed = test::kvm_rig("msi: the chips' own lines");
    if (!plain || !routed) return;
    auto made = routed->vm->message_interrupts().create();
    REQUIRE(made.ok());
    REQUIRE((*made)->route({kApicZero, 0x41}).ok());
    const auto expected = chips_with_all_lines_up(*plain->vm);
    const auto seen = chips_with_all_lines_up(*routed->vm);
    CHECK(std::memcmp(&expected, &seen, sizeof seen) == 0);
    CHECK(seen[KVM_IRQCHIP_IOAPIC].chip.ioapic.irr != 0);  // it does show them
}

TEST_CASE("msi: GSIs are bounded by KVM's count and come back with their routes") {
    auto rig = test::kvm_rig("msi: GSIs are bounded");
    if (!rig) return;
    Apic apic(*rig->vcpu);
    kvm::MsiRoutes routes(rig->vm->fd(), 16 + 24 + 2);
    auto first = routes.create();
    auto second = routes.create();
    REQUIRE(first.ok());
    REQUIRE(second.ok());
    const auto third = routes.create();
    REQUIRE_FALSE(third.ok());
    CHECK(third.error().what.find("no more than 2 message interrupts") != std::string::npos);
    REQUIRE((*first)->route({kApicZero, 0x41}).ok());
    REQUIRE((*second)->route({kApicZero, 0x52}).ok());

    (*first).reset();
    auto again = routes.create();
    REQUIRE(again.ok());
    (*again)->signal();  // what its GSI meant before is over
    CHECK(apic.stays_quiet(0x41));
    (*second)->signal();
    CHECK(apic.becomes_pending(0x52));

    kvm::MsiRoutes none(rig->vm->fd(), 0);
    const auto refused = none.create();
    REQUIRE_FALSE(refused.ok());
    CHECK(refused.error().what.find("KVM_CAP_IRQ_ROUTING") != std::string::npos);
}

TEST_CASE("msi: what is left to the kernel may be dropped in any order") {
    auto rig = test::kvm_rig("msi: what is left to the kernel");
    if (!rig) return;
    auto one = rig->vm->message_interrupts().create();
    auto two = rig->vm->message_interrupts().create();
    REQUIRE(one.ok());
    REQUIRE(two.ok());
    REQUIRE((*one)->route({kApicZero, 0x41}).ok());
    rig->vm->leave_wiring_to_kernel();
    (*one).reset();
    rig->vcpu.reset();
    (*two).reset();
}

TEST_CASE("msi: signals from threads while the guest changes the message") {
    auto rig = test::kvm_rig("msi: signals from threads");
    if (!rig) return;
    Apic apic(*rig->vcpu);
    auto made = rig->vm->message_interrupts().create();
    REQUIRE(made.ok());
    std::atomic<bool> done{false};
    std::vector<std::thread> threads;
    for (int i = 0; i < 2; ++i) {
        threads.emplace_back([&] {
            while (!done) (*made)->signal();
        });
    }
    bool all_routed = true;
    for (uint32_t i = 0; i < 200; ++i) {
        all_routed = all_routed && (*made)->route({kApicZero, 0x40 + i % 64}).ok();
        if (i % 10 == 0) (*made)->unroute();
        auto other = rig->vm->message_interrupts().create();
        all_routed = all_routed && other.ok() && (*other)->route({kApicZero, 0x90}).ok();
    }
    done = true;
    for (auto& thread : threads) thread.join();
    CHECK(all_routed);
    CHECK_FALSE(apic.pending(0x90));
    apic.clear();
    (*made)->signal();
    CHECK(apic.becomes_pending(0x40 + 199 % 64));
}
