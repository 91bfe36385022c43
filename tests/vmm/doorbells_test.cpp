// Doorbells over a real KVM, rung by a guest of a few instructions in 32-bit protected mode.
#include "vmm/kvm/doorbells.h"

#include <sys/eventfd.h>
#include <unistd.h>

#include <cstring>
#include <variant>
#include <vector>

#include "tests/catch.h"
#include "tests/vmm/kvm_rig.h"

using namespace carrel;

namespace {

constexpr uint32_t kRegister = 0xd000'0000;
constexpr uint16_t kPort = 0xc000;
constexpr uint8_t kDonePort = 0x10;
constexpr Gpa kCode{0x1000};

using Code = std::vector<uint8_t>;

void append(Code& code, uint32_t value, size_t bytes) {
    for (size_t i = 0; i < bytes; ++i) code.push_back(static_cast<uint8_t>(value >> 8 * i));
}

// mov eax, value; mov [address], al / ax / eax; out 0x10, al
Code store(uint32_t address, uint32_t value, size_t width) {
    Code code{0xb8};
    append(code, value, 4);
    if (width == 2) code.push_back(0x66);
    code.push_back(width == 1 ? 0xa2 : 0xa3);
    append(code, address, 4);
    code.insert(code.end(), {0xe6, kDonePort});
    return code;
}

// mov eax, value; mov edx, port; out dx, ax; out 0x10, al
Code port_store(uint16_t port, uint32_t value) {
    Code code{0xb8};
    append(code, value, 4);
    code.push_back(0xba);
    append(code, port, 4);
    code.insert(code.end(), {0x66, 0xef, 0xe6, kDonePort});
    return code;
}

SegmentState flat(uint16_t selector, uint8_t type) {
    SegmentState segment;
    segment.selector = selector;
    segment.limit = 0xffff'ffff;
    segment.type = type;
    segment.db = true;
    segment.granularity = true;
    return segment;
}

// At the beginning of the code; SDM volume 3, 3.4.5.1 for the types.
CpuState protected_mode() {
    CpuState cpu;
    cpu.rip = raw(kCode);
    cpu.cr0 = kCr0Pe | kCr0Et;
    cpu.cs = flat(8, 0xb);
    cpu.ds = cpu.es = cpu.fs = cpu.gs = cpu.ss = flat(16, 0x3);
    cpu.tr.selector = 24;
    cpu.tr.limit = 0x67;
    cpu.tr.type = 0xb;
    cpu.tr.code_or_data = false;
    cpu.ldt.present = false;
    return cpu;
}

// How many exits with a write there are until `code` has ended; -1 where something else came.
int writes_that_exit(test::KvmRig& rig, const Code& code) {
    REQUIRE(rig.memory->write_bytes(kCode, std::as_bytes(std::span(code))));
    REQUIRE(rig.vcpu->load(protected_mode()).ok());
    int writes = 0;
    for (int exits = 0; exits < 10; ++exits) {
        const kvm::Exit exit = rig.vcpu->run();
        const auto* const port = std::get_if<kvm::PortExit>(&exit);
        const auto* const memory = std::get_if<kvm::MmioExit>(&exit);
        if (port != nullptr && port->port == kDonePort) {
            rig.vcpu->complete_pending_access();
            return writes;
        }
        if ((port == nullptr || !port->write) && (memory == nullptr || !memory->write)) return -1;
        ++writes;
    }
    return -1;
}

class Bell {
  public:
    int fd() const { return event_.get(); }
    uint64_t rings() const {
        uint64_t count = 0;
        return ::read(event_.get(), &count, sizeof count) == sizeof count ? count : 0;
    }

  private:
    Fd event_{::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)};
};

}  // namespace

TEST_CASE("doorbell: of any width, it rings without an exit and for its address only") {
    auto rig = test::kvm_rig("doorbell: of any width");
    if (!rig) return;
    const Bell bell;
    CHECK(writes_that_exit(*rig, store(kRegister, 1, 2)) == 1);
    {
        const auto bound =
            rig->vm->doorbells().bind(AddressSpace::kMemory, kRegister, 0, std::nullopt, bell.fd());
        REQUIRE(bound.ok());
        for (const size_t width : {1u, 2u, 4u}) {
            CHECK(writes_that_exit(*rig, store(kRegister, 7, width)) == 0);
            CHECK(bell.rings() == 1);
        }
        CHECK(writes_that_exit(*rig, store(kRegister + 4, 7, 2)) == 1);
        CHECK(bell.rings() == 0);
    }
    CHECK(writes_that_exit(*rig, store(kRegister, 1, 2)) == 1);  // the binding has ended
    CHECK(bell.rings() == 0);
    const uint64_t one = 1;
    CHECK(::write(bell.fd(), &one, sizeof one) == sizeof one);  // the eventfd hasn't
}

TEST_CASE("doorbell: a value of its own each, at one address") {
    auto rig = test::kvm_rig("doorbell: a value of its own");
    if (!rig) return;
    const Bell three;
    const Bell four;
    Doorbells& doorbells = rig->vm->doorbells();
    const auto bound_three = doorbells.bind(AddressSpace::kMemory, kRegister, 2, 3, three.fd());
    const auto bound_four = doorbells.bind(AddressSpace::kMemory, kRegister, 2, 4, four.fd());
    REQUIRE(bound_three.ok());
    REQUIRE(bound_four.ok());
    CHECK(writes_that_exit(*rig, store(kRegister, 3, 2)) == 0);
    CHECK(writes_that_exit(*rig, store(kRegister, 4, 2)) == 0);
    CHECK(three.rings() == 1);
    CHECK(four.rings() == 1);
    CHECK(writes_that_exit(*rig, store(kRegister, 5, 2)) == 1);  // nobody's value
    CHECK(writes_that_exit(*rig, store(kRegister, 3, 4)) == 1);  // another width
    CHECK(three.rings() == 0);
}

TEST_CASE("doorbell: at a port") {
    auto rig = test::kvm_rig("doorbell: at a port");
    if (!rig) return;
    const Bell bell;
    const auto bound = rig->vm->doorbells().bind(AddressSpace::kPorts, kPort, 2, std::nullopt, bell.fd());
    REQUIRE(bound.ok());
    CHECK(writes_that_exit(*rig, port_store(kPort, 9)) == 0);
    CHECK(bell.rings() == 1);
    CHECK(writes_that_exit(*rig, port_store(kPort + 2, 9)) == 1);
}

TEST_CASE("doorbell: what can't be bound is refused in words, and a place is free again afterwards") {
    auto rig = test::kvm_rig("doorbell: what can't be bound");
    if (!rig) return;
    const Bell bell;
    Doorbells& doorbells = rig->vm->doorbells();
    auto bound = doorbells.bind(AddressSpace::kMemory, kRegister, 0, std::nullopt, bell.fd());
    REQUIRE(bound.ok());
    for (const uint32_t size : {0u, 2u, 4u}) {
        const auto twice = doorbells.bind(AddressSpace::kMemory, kRegister, size, std::nullopt, bell.fd());
        REQUIRE_FALSE(twice.ok());
        CHECK(twice.error().what == "address 0xd0000000 is bound to another doorbell");
    }
    const auto both = doorbells.bind(AddressSpace::kMemory, kRegister + 8, 0, 3, bell.fd());
    REQUIRE_FALSE(both.ok());
    CHECK(both.error().fault == Fault::kUsage);
    const auto odd = doorbells.bind(AddressSpace::kMemory, kRegister + 8, 3, std::nullopt, bell.fd());
    REQUIRE_FALSE(odd.ok());
    CHECK(odd.error().what.find("0xd0000008") != std::string::npos);
    (*bound).reset();
    CHECK(doorbells.bind(AddressSpace::kMemory, kRegister, 2, std::nullopt, bell.fd()).ok());
    rig->vm->leave_wiring_to_kernel();
}

TEST_CASE("doorbell: a KVM that must know the width says so") {
    kvm::KvmDoorbells old(-1, false);
    const auto refused = old.bind(AddressSpace::kMemory, kRegister, 0, std::nullopt, -1);
    REQUIRE_FALSE(refused.ok());
    CHECK(refused.error().what.find("KVM_CAP_IOEVENTFD_ANY_LENGTH") != std::string::npos);
}
