// pvpanic as a PCI function: QEMU's docs/specs/pvpanic.rst.
#include "devices/pci/pvpanic.h"

#include "devices/pci/config_registers.h"
#include "tests/devices/fakes.h"
#include "tests/virtio/pci_fakes.h"
// After ours, whose CHECK is another.
#include "tests/catch.h"

using namespace carrel;
using namespace carrel::pci;
using namespace carrel::test;

namespace {

constexpr uint32_t kBase = 0xc000'8000;

struct Side final : PanicListener {
    void on_panic() override { ++panics; }
    void on_crash_kernel() override { ++crash_kernels; }

    template <class T>
    T config(uint32_t at) {
        T value{};
        device.read_config(at, std::as_writable_bytes(std::span(&value, 1)));
        return value;
    }
    template <class T>
    void set_config(uint32_t at, T value) {
        device.write_config(at, std::as_bytes(std::span(&value, 1)));
    }
    std::vector<std::byte> saved() const {
        ByteWriter writer;
        device.save(writer);
        return std::move(writer).take();
    }
    bool restores(std::span<const std::byte> bytes) {
        ByteReader reader(bytes);
        return device.restore(reader).ok();
    }

    int panics = 0, crash_kernels = 0;
    virtio::test::FakeBars bars;
    Pvpanic device{bars, *this, kBase};
};

}  // namespace

TEST_CASE("pvpanic: what a driver finds it by; no interrupt, no capabilities") {
    Side side;
    CHECK(side.config<uint32_t>(kVendorId) == 0x0011'1b36);
    CHECK(side.config<uint16_t>(kSubclass) == 0x0880);
    CHECK(side.config<uint8_t>(kInterruptPin) == 0);
    CHECK(side.config<uint16_t>(kStatus) == 0);
    CHECK(side.config<uint32_t>(kBar0) == kBase);
    side.set_config<uint32_t>(kBar0, ~0u);
    CHECK(side.config<uint32_t>(kBar0) == ~(Pvpanic::kSize - 1));
}

TEST_CASE("pvpanic: its register answers where its BAR is, and nowhere while that isn't decoded") {
    Side side;
    CHECK_FALSE(side.bars.at);
    side.set_config<uint16_t>(kCommand, kCommandMemory);
    CHECK(side.bars.at == kBase);
    CHECK(side.bars.bytes == Pvpanic::kSize);
    side.set_config<uint32_t>(kBar0, 0xd000'0000);
    CHECK(side.bars.at == 0xd000'0000);
    side.device.reset();
    CHECK_FALSE(side.bars.at);
}

TEST_CASE("pvpanic: says which events it knows, and passes on what happened, by any width") {
    Side side;
    side.set_config<uint16_t>(kCommand, kCommandMemory);
    Device& device = *side.bars.device;
    CHECK(in<uint8_t>(device, 0) == 3);
    CHECK(in<uint8_t>(device, 1) == 0);
    CHECK(in<uint32_t>(device, 0) == 3);
    CHECK(in<uint64_t>(device, 0xff8) == 0);
    out<uint8_t>(device, 0, 1);
    CHECK(side.panics == 1);
    out<uint8_t>(device, 0, 2);
    CHECK(side.crash_kernels == 1);
    out<uint32_t>(device, 0, 0x0303'0301);
    CHECK(side.panics == 2);
    for (const unsigned other : {0u, 4u, 0xfcu}) out<uint8_t>(device, 0, static_cast<uint8_t>(other));
    out<uint8_t>(device, 1, 1);
    out<uint8_t>(device, 0xfff, 1);
    CHECK(side.panics == 2);
    CHECK(side.crash_kernels == 1);
}

TEST_CASE("pvpanic: its state comes back, and damaged bytes are refused") {
    Side side;
    const auto fresh = side.saved();
    side.set_config<uint16_t>(kCommand, kCommandMemory);
    side.set_config<uint32_t>(kBar0, 0xd000'0000);
    const auto bytes = side.saved();
    Side other;
    REQUIRE(other.restores(bytes));
    CHECK(other.bars.at == 0xd000'0000);
    CHECK(other.saved() == bytes);
    for (size_t length = 0; length < bytes.size(); ++length)
        CHECK_FALSE(other.restores(std::span(bytes).first(length)));
    CHECK_FALSE(other.bars.at);
    CHECK(other.saved() == fresh);
}
