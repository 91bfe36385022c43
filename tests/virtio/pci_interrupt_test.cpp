// How a virtio function interrupts its guest. PCI 3.0, 6.8.2 and 6.2.4; VIRTIO 1.3, 4.1.5.3 and 4.1.5.4.
#include <atomic>
#include <chrono>
#include <thread>

#include "devices/virtio/entropy.h"
#include "devices/virtio/pci_transport.h"
#include "tests/virtio/pci_rig.h"
// After ours, whose CHECK is another.
#include "tests/catch.h"

using namespace carrel;
using namespace carrel::virtio;
using namespace carrel::virtio::test;

namespace {

struct Rig {
    // Every request interrupts.
    Rig() { side.start(*driver, kIndirectDesc, 1); }
    void ask() {
        driver->add({{kData, 32, true}});
        driver->publish();
        side.notify();
        CHECK(driver->get_used());
    }
    // The driver breaks its queue: a change of configuration.
    void break_queue() {
        driver->poke<uint16_t>(kDriverArea + kRingIndex, 0x7000);
        side.notify();
    }
    int signals(size_t vector) { return side.messages.lines[vector]->signals; }
    uint32_t pending() { return side.get<uint32_t>(kMsixPendingPart); }
    void use_messages(unsigned more = 0) { side.set_message_control(pci::Msix::kEnable | more); }

    Surroundings around;
    std::unique_ptr<Driver> driver =
        make_driver(*around.memory, 64, {.packed = false, .event_idx = false, .indirect = true});
    Entropy device;
    PciSide side{around, device};
};

constexpr uint64_t kIsr = kIsrPart;

}  // namespace

TEST_CASE("INTx: the line is up until the ISR status is read, which says why") {
    Rig rig;
    CHECK_FALSE(rig.side.irq.level);
    rig.ask();
    rig.ask();
    CHECK(rig.side.irq.level);
    CHECK(rig.side.get<uint8_t>(kIsr) == 1);
    CHECK_FALSE(rig.side.irq.level);
    CHECK(rig.side.get<uint8_t>(kIsr) == 0);
    rig.ask();
    rig.break_queue();
    CHECK(rig.side.get<uint32_t>(kIsr) == 3);  // any width
    CHECK_FALSE(rig.side.irq.level);
    rig.side.get<uint8_t>(kIsr + 1);
}

TEST_CASE(
    "INTx: a read beside the ISR status doesn't clear it; a driver that wants no interrupts gets none") {
    Rig rig;
    rig.driver->set_interrupts(false);
    rig.ask();
    CHECK_FALSE(rig.side.irq.level);
    rig.driver->set_interrupts(true);
    rig.ask();
    CHECK(rig.side.get<uint8_t>(kIsr + 1) == 0);
    CHECK(rig.side.get<uint32_t>(kIsr + 4) == 0);
    rig.side.put<uint32_t>(kIsr, ~0u);
    CHECK(rig.side.irq.level);
    CHECK(rig.side.get<uint8_t>(kIsr) == 1);
}

TEST_CASE("INTx, PCI 6.2.2: the disable bit holds the line down, not what is behind it") {
    Rig rig;
    rig.side.decode(pci::kCommandNoIntx);
    rig.ask();
    CHECK_FALSE(rig.side.irq.level);
    rig.side.decode();
    CHECK(rig.side.irq.level);
    rig.side.decode(pci::kCommandNoIntx);
    CHECK_FALSE(rig.side.irq.level);
    CHECK(rig.side.get<uint8_t>(kIsr) == 1);
}

TEST_CASE("INTx, PCI 6.2.3: the status register shows what is pending, disabled or not") {
    Rig rig;
    const auto shown = [&] { return (rig.side.config<uint16_t>(pci::kStatus) & pci::kStatusInterrupt) != 0; };
    CHECK_FALSE(shown());
    rig.side.decode(pci::kCommandNoIntx);
    rig.ask();
    CHECK(shown());
    CHECK((rig.side.config<uint32_t>(pci::kCommand) >> 16 & pci::kStatusInterrupt) != 0);
    CHECK((rig.side.config<uint8_t>(pci::kStatus) & pci::kStatusInterrupt) != 0);
    CHECK((rig.side.config<uint8_t>(pci::kStatus + 1) & pci::kStatusInterrupt) == 0);
    rig.side.get<uint8_t>(kIsr);
    CHECK_FALSE(shown());
}

TEST_CASE("INTx: a device's reset takes the line back") {
    Rig rig;
    rig.ask();
    rig.side.set_status(0);
    CHECK_FALSE(rig.side.irq.level);
    CHECK(rig.side.get<uint8_t>(kIsr) == 0);
}

TEST_CASE("MSI-X: a queue's and the configuration's vectors, and no line") {
    Rig rig;
    rig.side.set_vector(0, 0x40);
    rig.side.set_vector(1, 0x41);
    rig.side.put<uint16_t>(kConfigMsixVector, 0);
    rig.use_messages();
    CHECK(rig.side.messages.lines[1]->message == MsiMessage{0xfee0'0000, 0x41});
    rig.ask();
    CHECK(rig.signals(1) == 1);
    rig.break_queue();
    CHECK(rig.signals(0) == 1);
    CHECK(rig.signals(1) == 1);
    CHECK(rig.side.irq.edges == 0);
    CHECK(rig.side.get<uint8_t>(kIsr) == 0);
}

TEST_CASE("MSI-X, 4.1.5.1.2: a vector that doesn't exist becomes NO_VECTOR") {
    Rig rig;
    for (const unsigned vector : {2u, 3u, 64u, 0x8000u, 0xfffeu, 0xffffu}) {
        rig.side.put<uint16_t>(kQueueMsixVector, static_cast<uint16_t>(vector));
        rig.side.put<uint16_t>(kConfigMsixVector, static_cast<uint16_t>(vector));
        CHECK(rig.side.get<uint16_t>(kQueueMsixVector) == PciInterrupts::kNoVector);
        CHECK(rig.side.get<uint16_t>(kConfigMsixVector) == PciInterrupts::kNoVector);
    }
    rig.use_messages();
    rig.ask();
    rig.break_queue();
    CHECK(rig.signals(0) + rig.signals(1) == 0);
    CHECK(rig.pending() == 0);
    CHECK_FALSE(rig.side.irq.level);
}

TEST_CASE("MSI-X: what comes while a vector is masked is pending, once, and delivered when it is unmasked") {
    Rig rig;
    rig.side.set_vector(1, 0x41);
    rig.side.put<uint32_t>(kMsixTablePart + 28, 1);
    rig.use_messages();
    rig.ask();
    rig.ask();
    CHECK(rig.signals(1) == 0);
    CHECK(rig.pending() == 2);
    rig.side.put<uint32_t>(kMsixPendingPart, 0);  // read-only
    CHECK(rig.pending() == 2);
    SECTION("by itself") {
        rig.side.put<uint32_t>(kMsixTablePart + 28, 0);
    }
    SECTION("by one byte") {
        rig.side.put<uint8_t>(kMsixTablePart + 28, 0);
    }
    SECTION("with a new message, in one qword") {
        rig.side.put<uint64_t>(kMsixTablePart + 24, 0x77);
        CHECK(rig.side.messages.lines[1]->message.data == 0x77);
    }
    CHECK(rig.signals(1) == 1);
    CHECK(rig.pending() == 0);
    rig.ask();
    CHECK(rig.signals(1) == 2);
}

TEST_CASE("MSI-X: the function mask masks all, and every vector's own mask still counts behind it") {
    Rig rig;
    rig.side.set_vector(1, 0x41);
    rig.use_messages(pci::Msix::kFunctionMask);
    rig.ask();
    CHECK(rig.signals(1) == 0);
    CHECK(rig.pending() == 2);
    rig.side.put<uint32_t>(kMsixTablePart + 28, 1);
    rig.use_messages();
    CHECK(rig.signals(1) == 0);
    rig.side.put<uint32_t>(kMsixTablePart + 28, 0);
    CHECK(rig.signals(1) == 1);
    CHECK(rig.pending() == 0);
}

TEST_CASE("MSI-X: whoever signals doesn't wait for KVM to take another vector's message") {
    Rig rig;
    rig.side.set_vector(1, 0x41);
    rig.use_messages();
    rig.side.messages.hold.lock();
    std::thread vcpu([&] { rig.side.set_vector(0, 0x40); });
    while (rig.side.messages.waiting == 0) std::this_thread::yield();
    std::atomic<bool> done = false;
    std::thread device([&] {
        rig.ask();
        done = true;
    });
    const auto limit = std::chrono::steady_clock::now() + std::chrono::seconds(10);
    while (!done && std::chrono::steady_clock::now() < limit) std::this_thread::yield();
    CHECK(done);
    rig.side.messages.hold.unlock();
    device.join();
    vcpu.join();
    CHECK(rig.signals(1) == 1);
    CHECK(rig.side.messages.lines[0]->message.data == 0x40);
}

TEST_CASE("MSI-X: what is signalled while its own message is on its way comes with the new one") {
    Rig rig;
    rig.side.set_vector(1, 0x41);
    rig.use_messages();
    rig.side.messages.hold.lock();
    std::thread vcpu([&] { rig.side.put<uint32_t>(kMsixTablePart + 24, 0x42); });
    while (rig.side.messages.waiting == 0) std::this_thread::yield();
    rig.ask();
    CHECK(rig.signals(1) == 0);
    rig.side.messages.hold.unlock();
    vcpu.join();
    CHECK(rig.signals(1) == 1);
    CHECK(rig.pending() == 0);
}

TEST_CASE("MSI-X: a message that the machine refuses interrupts nobody; the next good one does") {
    Rig rig;
    rig.side.messages.refuse = true;
    rig.side.set_vector(1, 0x41);
    rig.use_messages();
    rig.ask();
    CHECK(rig.signals(1) == 0);
    rig.side.messages.refuse = false;
    rig.side.set_vector(1, 0x42);
    CHECK(rig.signals(1) == 1);  // what was refused is pending
    rig.ask();
    CHECK(rig.signals(1) == 2);
}

TEST_CASE("MSI-X: the table takes any width, keeps reserved bits 0, and ends where it ends") {
    Rig rig;
    CHECK(rig.side.get<uint32_t>(kMsixTablePart + 12) == 1);
    rig.side.put<uint64_t>(kMsixTablePart + 8, ~uint64_t{0});
    CHECK(rig.side.get<uint64_t>(kMsixTablePart + 8) == 0x1'ffff'ffff);
    rig.side.put<uint8_t>(kMsixTablePart + 3, 0xfe);
    rig.side.put<uint16_t>(kMsixTablePart + 1, 0xe0ff);
    CHECK(rig.side.get<uint32_t>(kMsixTablePart) == 0xfee0'ff00);
    rig.side.put<uint64_t>(kMsixTablePart + 28, ~uint64_t{0});  // half of it behind the end
    CHECK(rig.side.get<uint64_t>(kMsixTablePart + 28) == 1);
    rig.side.put<uint64_t>(kMsixTablePart + 32, ~uint64_t{0});
    CHECK(rig.side.get<uint64_t>(kMsixTablePart + 32) == 0);
    CHECK(rig.side.get<uint64_t>(kMsixTablePart + 0xffc) == 0);
    rig.side.put<uint64_t>(kMsixTablePart + 0xffc, ~uint64_t{0});
    CHECK(rig.side.get<uint64_t>(kMsixPendingPart) == 0);
    CHECK(rig.side.get<uint64_t>(kMsixPendingPart + 4) == 0);
}

TEST_CASE("MSI-X: switched on and off again, interrupts go the other way each time") {
    Rig rig;
    rig.side.set_vector(1, 0x41);
    rig.ask();
    CHECK(rig.side.irq.level);
    rig.use_messages();
    CHECK_FALSE(rig.side.irq.level);
    rig.ask();
    CHECK(rig.signals(1) == 1);
    rig.side.set_message_control(0);
    CHECK(rig.side.irq.level);  // what the driver never took
    rig.side.get<uint8_t>(kIsr);
    rig.ask();
    CHECK(rig.side.irq.level);
    CHECK(rig.signals(1) == 1);
}

TEST_CASE("MSI-X: a device's reset forgets its vectors, not the table") {
    Rig rig;
    rig.side.set_vector(1, 0x41);
    rig.side.put<uint16_t>(kConfigMsixVector, 0);
    rig.use_messages();
    rig.side.set_status(0);
    CHECK(rig.side.get<uint16_t>(kQueueMsixVector) == PciInterrupts::kNoVector);
    CHECK(rig.side.get<uint16_t>(kConfigMsixVector) == PciInterrupts::kNoVector);
    CHECK(rig.side.get<uint32_t>(kMsixTablePart + 24) == 0x41);
    CHECK(rig.side.messages.lines[1]->routed);
}
