#include "devices/pci/config_ports.h"
#include "devices/pci/config_registers.h"
#include "devices/pci/config_space.h"
#include "devices/pci/host_bridge.h"
#include "devices/reset_control.h"
#include "tests/catch.h"
#include "tests/devices/fakes.h"
#include "vmm/bus/bus.h"

using namespace carrel;
using namespace carrel::pci;
using namespace carrel::test;

namespace {

// A function with a register of each kind: read-only id, a partly writable command, a byte of its own.
class Sample final : public Function {
  public:
    explicit Sample(size_t size = kConventionalSize) : config(size) {
        config.define(kVendorId, uint32_t{0x1234'5678});
        config.define(kCommand, uint16_t{0x0000}, uint16_t{0x0406});
        config.define(0x40, uint32_t{0x1111'1111}, uint32_t{0x00ff'ff00});
    }
    std::string_view name() const override { return "sample"; }
    void read_config(uint32_t offset, std::span<std::byte> data) override { config.read(offset, data); }
    void write_config(uint32_t offset, std::span<const std::byte> data) override {
        config.write(offset, data);
    }
    void reset() override { config.reset(); }
    void save(ByteWriter& writer) const override {
        const size_t start = writer.begin_part("SMPL", 1);
        config.save(writer);
        writer.end_part(start);
    }
    Result<void> restore(ByteReader& reader) override {
        ByteReader part = reader.part("SMPL", 1);
        config.restore(part);
        if (part.ok() && part.at_end()) return {};
        return usage_error("damaged");
    }
    ConfigSpace config;
};

struct Rig {
    Rig() {
        root.attach(0, bridge);
        root.attach(9, sample);
    }
    void select(unsigned bus, unsigned slot, unsigned function, unsigned reg) {
        out32(ports, ConfigPorts::kAddress, 1u << 31 | bus << 16 | slot << 11 | function << 8 | reg);
    }
    unsigned get32(unsigned slot, unsigned reg) {
        select(0, slot, 0, reg);
        return in32(ports, ConfigPorts::kData);
    }
    FakePower power;
    ResetControl reset_control{power};
    RootBus root;
    HostBridge bridge;
    Sample sample;
    ConfigPorts ports{root, reset_control};
};

}  // namespace

TEST_CASE("pci: the address register answers to dwords only and drops the bits it hasn't") {
    Rig rig;
    out32(rig.ports, 0, 0x8000'0000);
    CHECK(in32(rig.ports, 0) == 0x8000'0000);  // how drivers know mechanism #1
    out32(rig.ports, 0, 0xffff'ffff);
    CHECK(in32(rig.ports, 0) == 0x8fff'fffc);
    out8(rig.ports, 3, 0x01);  // and what they write to rule out mechanism #2
    out16(rig.ports, 0, 0x0000);
    out8(rig.ports, 0, 0);
    CHECK(in32(rig.ports, 0) == 0x8fff'fffc);
    CHECK(in16(rig.ports, 0) == 0xffff);
    CHECK(in8(rig.ports, 2) == 0xff);
    CHECK(rig.power.resets == 0);
}

TEST_CASE("pci: a byte at 0xcf9 belongs to the reset control register, a dword over it doesn't") {
    Rig rig;
    Bus bus;
    REQUIRE(bus.attach(0xcf8, ConfigPorts::kSize, rig.ports).ok());
    bus.publish();
    const uint32_t slot_of_six = 0x8000'0600;  // its second byte would reset
    bus.write(0xcf8, std::as_bytes(std::span(&slot_of_six, 1)));
    CHECK(rig.power.resets == 0);
    const uint8_t reset = 0x06;
    bus.write(0xcf9, std::as_bytes(std::span(&reset, 1)));
    CHECK(rig.power.resets == 1);
    CHECK(in8(rig.ports, 1) == 0);
    const uint16_t word = 0x0606;
    bus.write(0xcf9, std::as_bytes(std::span(&word, 1)));
    CHECK(rig.power.resets == 1);
    CHECK(in32(rig.ports, 0) == slot_of_six);
}

TEST_CASE("pci: the host bridge is a single function of class 0600 that needs nothing") {
    Rig rig;
    CHECK(rig.get32(0, kVendorId) == (unsigned{HostBridge::kDevice} << 16 | HostBridge::kVendor));
    CHECK(rig.get32(0, kRevisionId) == 0x0600'0000);
    CHECK(rig.get32(0, 0x0c) == 0);  // header type 0, one function
    for (unsigned reg = kCommand; reg < 256; reg += 4) {
        if (reg == kRevisionId) continue;
        rig.select(0, 0, 0, reg);
        out32(rig.ports, ConfigPorts::kData, 0xffff'ffff);
        INFO("register " << reg);
        CHECK(in32(rig.ports, ConfigPorts::kData) == 0);
    }
}

TEST_CASE("pci: where nobody is, reads are all ones and writes harmless") {
    Rig rig;
    for (unsigned slot = 1; slot < 32; ++slot)
        if (slot != 9) CHECK(rig.get32(slot, 0) == 0xffff'ffff);
    for (unsigned function = 1; function < 8; ++function) {
        rig.select(0, 9, function, 0);
        CHECK(in16(rig.ports, ConfigPorts::kData) == 0xffff);
    }
    rig.select(1, 9, 0, 0);
    CHECK(in8(rig.ports, ConfigPorts::kData) == 0xff);
    out32(rig.ports, ConfigPorts::kData, 0);
    out32(rig.ports, 0, 9u << 11);  // without the enable bit
    CHECK(in32(rig.ports, ConfigPorts::kData) == 0xffff'ffff);
    out32(rig.ports, ConfigPorts::kData, 0x0000'0406);
    CHECK(rig.get32(9, 4) == 0);
}

TEST_CASE("pci: bytes and words inside the dword, aligned or not") {
    Rig rig;
    CHECK(rig.get32(9, 0) == 0x1234'5678);
    CHECK(in8(rig.ports, ConfigPorts::kData + 1) == 0x56);
    CHECK(in16(rig.ports, ConfigPorts::kData + 1) == 0x3456);
    CHECK(in16(rig.ports, ConfigPorts::kData + 2) == 0x1234);
    CHECK(in16(rig.ports, ConfigPorts::kData + 3) == 0xffff);  // out of the ports
    CHECK(in32(rig.ports, 2) == 0xffff'ffff);                  // across two registers
    CHECK(in<uint64_t>(rig.ports, 0) == ~uint64_t{0});         // over everything
    rig.select(0, 9, 0, 0x40);
    out16(rig.ports, ConfigPorts::kData + 1, 0xabcd);
    out8(rig.ports, ConfigPorts::kData + 3, 0xff);  // read-only
    CHECK(in32(rig.ports, ConfigPorts::kData) == 0x11ab'cd11);
}

TEST_CASE("pci: a write changes writable bits only, and a reset takes it back") {
    Rig rig;
    rig.select(0, 9, 0, kCommand);
    out32(rig.ports, ConfigPorts::kData, 0xffff'ffff);
    CHECK(in32(rig.ports, ConfigPorts::kData) == 0x0000'0406);
    rig.select(0, 9, 0, 0);
    out32(rig.ports, ConfigPorts::kData, 0);
    CHECK(in32(rig.ports, ConfigPorts::kData) == 0x1234'5678);
    rig.ports.reset();
    CHECK(in32(rig.ports, 0) == 0);
    CHECK(rig.get32(9, kCommand) == 0);
}

TEST_CASE("pci: a look beyond byte 255 doesn't find byte 0 again") {
    Rig rig;
    Sample extended(kExtendedSize);
    extended.config.define(0x100, uint32_t{0xcafe'f00d});
    rig.root.attach(10, extended);
    CHECK(rig.get32(9, 1u << 24) == 0xffff'ffff);
    CHECK(rig.get32(10, 1u << 24) == 0xcafe'f00d);
    CHECK(rig.get32(10, 0xfu << 24 | 0xfc) == 0);
    rig.select(0, 9, 0, 1u << 24 | kCommand);
    out32(rig.ports, ConfigPorts::kData, 0xffff'ffff);
    CHECK(rig.get32(9, kCommand) == 0);
}

TEST_CASE("pci: saved and restored in the middle of work, the guest notices nothing") {
    Rig first;
    first.select(0, 9, 0, 0x40);
    out32(first.ports, ConfigPorts::kData, 0x5555'5555);
    const auto bytes = saved(first.ports);

    Rig second;
    REQUIRE(restores(second.ports, bytes));
    CHECK(saved(second.ports) == bytes);
    CHECK(in32(second.ports, ConfigPorts::kData) == 0x1155'5511);  // the address is still there
}

TEST_CASE("pci: damaged bytes are refused and leave it as after a reset") {
    Rig rig;
    rig.select(0, 9, 0, 0x40);
    out32(rig.ports, ConfigPorts::kData, 0x5555'5555);
    const auto good = saved(rig.ports);
    const auto fresh = saved(Rig().ports);
    const auto refused = [&](std::span<const std::byte> bytes) {
        REQUIRE(restores(rig.ports, good));
        CHECK_FALSE(restores(rig.ports, bytes));
        CHECK(saved(rig.ports) == fresh);
    };
    // for_each_damage() makes the part longer by its low length byte only; a part this long overflows none.
    for_each_damage(good, refused);
    constexpr size_t kPart = 10;
    constexpr size_t kSlotOfBridge = kPart + 4 + kPart;
    constexpr size_t kBridgeLength = kSlotOfBridge + 1 + kPart;
    constexpr size_t kBridgeVendor = kBridgeLength + 4;
    for (const size_t at : {kPart, kSlotOfBridge, kBridgeLength, kBridgeVendor, good.size() - 1}) {
        auto bytes = good;
        bytes[at] ^= std::byte{0x03};
        INFO("byte " << at);
        refused(bytes);
    }
    RootBus fewer;  // another set of devices
    HostBridge bridge;
    fewer.attach(0, bridge);
    ConfigPorts other(fewer, rig.reset_control);
    CHECK_FALSE(restores(other, good));
}
