// A guest at an MSI-X table while its device signals, and KVM that refuses messages at times. No signal is
// lost: it is sent with the message that the table has, or pending. PCI 3.0, section 6.8.2.
#include "devices/virtio/pci_interrupts.h"
#include "tests/devices/fakes.h"
#include "tests/fuzz/script.h"
#include "tests/virtio/pci_fakes.h"

using namespace carrel;
using namespace carrel::virtio;
using namespace carrel::virtio::test;
using carrel::test::require;
using carrel::test::Script;

namespace {

constexpr uint16_t kQueues = 3;
constexpr uint16_t kVectors = kQueues + 1;

struct Function {
    FakeMessages messages;
    carrel::test::FakeIrq irq;
    PciInterrupts interrupts{pci::Msix::create(messages, kVectors).value(),
                             std::make_unique<ForwardedIrq<carrel::test::FakeIrq>>(irq), kQueues};
    uint16_t control = 0;

    template <class T>
    T table(uint64_t at) const {
        std::array<std::byte, sizeof(T)> bytes{};
        interrupts.read_table(at, bytes);
        T value;
        std::memcpy(&value, bytes.data(), sizeof value);
        return value;
    }
    uint64_t pending() const {
        std::array<std::byte, 8> bytes{};
        interrupts.read_pending(0, bytes);
        uint64_t value = 0;
        std::memcpy(&value, bytes.data(), sizeof value);
        return value;
    }
    bool enabled() const { return (control & pci::Msix::kEnable) != 0; }
    bool masked(unsigned vector) const {
        return (control & pci::Msix::kFunctionMask) != 0 || (table<uint32_t>(vector * 16 + 12) & 1) != 0;
    }
    int signals() const {
        int sum = 0;
        for (const auto& line : messages.lines) sum += line->signals;
        return sum;
    }
};

void check(const Function& f) {
    require(f.pending() >> kVectors == 0);
    for (unsigned vector = 0; vector < kVectors; ++vector) {
        require((f.table<uint32_t>(vector * 16 + 12) & ~1u) == 0);
        require(f.messages.lines[vector]->lost == 0);
        if (!f.enabled() || f.masked(vector) || f.messages.refuse) continue;
        const FakeLine& line = *f.messages.lines[vector];
        if (line.routed && (f.pending() >> vector & 1) == 0)
            require(line.message.data == f.table<uint32_t>(vector * 16 + 8) &&
                    line.message.address == f.table<uint64_t>(vector * 16));
    }
}

void signal(Function& f, uint16_t queue) {
    const uint16_t vector = f.interrupts.queue_vector(queue);
    const int before = f.signals();
    f.interrupts.signal_queue(queue);
    const bool exists = f.enabled() && vector != PciInterrupts::kNoVector;
    const bool pending = exists && (f.pending() >> vector & 1) != 0;
    require((f.signals() > before) == (exists && !pending));
}

void configure(Function& f, uint8_t bits) {
    f.control = static_cast<uint16_t>(((bits & 1) != 0 ? pci::Msix::kEnable : 0) |
                                      ((bits & 2) != 0 ? pci::Msix::kFunctionMask : 0));
    f.interrupts.configure(f.control, (bits & 4) != 0);
}

// Another function goes on from its saved bytes.
std::unique_ptr<Function> moved(const Function& f) {
    ByteWriter writer;
    const size_t start = writer.begin_part("MSIX", 1);
    f.interrupts.save(writer);
    writer.end_part(start);
    auto next = std::make_unique<Function>();
    ByteReader reader(writer.bytes());
    ByteReader part = reader.part("MSIX", 1);
    next->interrupts.restore(part, f.control, false);
    require(part.ok() && part.at_end());
    next->control = f.control;
    return next;
}

void step(std::unique_ptr<Function>& f, Script& script) {
    constexpr std::array<size_t, 4> kWidths = {1, 2, 4, 8};
    const uint8_t command = script.byte();
    switch (command & 7) {
        case 0:
        case 1: {
            const uint64_t at = script.byte() % (kVectors * 16 + 8);
            return f->interrupts.write_table(at, script.bytes(kWidths[command >> 4 & 3]));
        }
        case 2: return configure(*f, script.byte());
        case 3: return f->interrupts.set_queue_vector(command >> 4, script.number<uint16_t>());
        case 4: return signal(*f, static_cast<uint16_t>((command >> 4) % kQueues));
        case 5: return f->interrupts.set_queue_vector(command >> 4 & 3, script.byte() & 3);
        case 6: f->messages.refuse = !f->messages.refuse; return configure(*f, script.byte());
        default:
            if ((command & 0x80) == 0) {
                f = moved(*f);
            } else {
                f->interrupts.reset();
                f->control = 0;
            }
    }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    auto function = std::make_unique<Function>();
    Script script(std::as_bytes(std::span(data, size)));
    while (!script.done()) {
        step(function, script);
        check(*function);
    }
    return 0;
}
