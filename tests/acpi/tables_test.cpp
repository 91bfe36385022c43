#include "boot/acpi/tables.h"

#include <algorithm>
#include <set>
#include <string>

#include "tests/acpi/acpi_walk.h"
#include "tests/catch.h"

using namespace carrel;
using namespace carrel::acpi;

namespace {

constexpr Gpa kBase = kDefaultArea.base;

int sum(std::span<const std::byte> bytes) {
    int total = 0;
    for (const std::byte byte : bytes) total += std::to_integer<int>(byte);
    return total & 0xff;
}

std::set<std::string> names(const std::map<std::string, Bytes>& tables) {
    std::set<std::string> result;
    for (const auto& [name, table] : tables) result.insert(name);
    return result;
}

std::map<std::string, Bytes> tables_of(const Platform& platform) {
    return walk_tables(build_tables(platform, kBase), kBase);
}

bool contains(const Bytes& table, std::string_view text) {
    const auto* begin = reinterpret_cast<const char*>(table.data());
    return std::string_view(begin, table.size()).find(text) != std::string_view::npos;
}

Platform with_cpus(uint32_t count) {
    Platform platform;
    for (uint32_t id = 0; id < count; ++id) platform.apic_ids.push_back(id);
    return platform;
}

// The entries of a MADT of one type, without their type and length.
std::vector<Bytes> madt_entries(const Bytes& madt, uint8_t type) {
    std::vector<Bytes> found;
    for (size_t at = 44; at < madt.size();) {
        const auto length = read_at<uint8_t>(madt, at + 1);
        REQUIRE(length >= 2);
        REQUIRE(at + length <= madt.size());
        const auto begin = madt.begin() + static_cast<ptrdiff_t>(at);
        if (read_at<uint8_t>(madt, at) == type) found.emplace_back(begin + 2, begin + length);
        at += length;
    }
    return found;
}

}  // namespace

TEST_CASE("every table can be reached from the RSDP, has its length, and adds up to 0") {
    for (const auto& [name, platform] : sample_platforms()) {
        CAPTURE(name);
        const auto tables = tables_of(platform);
        std::set<std::string> wanted{"RSDP", "XSDT", "FACP", "FACS", "DSDT", "APIC"};
        if (name == "everything") wanted.insert("MCFG");
        CHECK(names(tables) == wanted);
        for (const auto& [signature, table] : tables) {
            CAPTURE(signature);
            CHECK_FALSE(table.empty());
            if (signature != "FACS") CHECK(sum(table) == 0);  // the FACS has no checksum
        }
    }
}

TEST_CASE("the RSDP's first 20 bytes add up too, for those who know ACPI 1.0 only") {
    const Bytes rsdp = tables_of(with_cpus(1)).at("RSDP");
    CHECK(contains(rsdp, "RSD PTR "));
    CHECK(sum(std::span(rsdp).first(20)) == 0);
    CHECK(read_at<uint8_t>(rsdp, 15) == 2);
    CHECK(read_at<uint32_t>(rsdp, 20) == 36);
}

TEST_CASE("the FADT names our registers, once in 32 and once in 64 bits, alike") {
    Platform platform = with_cpus(1);
    platform.fixed.pm_timer = address_map::kPmTimer;
    const Bytes fadt = tables_of(platform).at("FACP");
    REQUIRE(fadt.size() == 276);
    CHECK(read_at<uint8_t>(fadt, 8) == 6);    // major and
    CHECK(read_at<uint8_t>(fadt, 131) == 5);  // minor version
    CHECK(read_at<uint16_t>(fadt, 46) == 9);  // SCI
    CHECK(read_at<uint32_t>(fadt, 48) == 0);  // SMI_CMD: always in ACPI mode
    struct Register {
        size_t block, length, extended;
        uint32_t port;
        uint8_t size;
    };
    for (const Register& reg :
         {Register{56, 88, 148, 0x600, 4}, {64, 89, 172, 0x604, 2}, {76, 91, 208, 0x608, 4}}) {
        CAPTURE(reg.port);
        CHECK(read_at<uint32_t>(fadt, reg.block) == reg.port);
        CHECK(read_at<uint8_t>(fadt, reg.length) == reg.size);
        CHECK(read_at<uint8_t>(fadt, reg.extended) == 1);  // system I/O
        CHECK(read_at<uint8_t>(fadt, reg.extended + 1) == reg.size * 8);
        CHECK(read_at<uint64_t>(fadt, reg.extended + 4) == reg.port);
    }
    CHECK(read_at<uint64_t>(fadt, 120) == 0xcf9);
    CHECK(read_at<uint8_t>(fadt, 128) == 6);
    CHECK(read_at<uint32_t>(fadt, 40) == read_at<uint64_t>(fadt, 140));  // DSDT
}

TEST_CASE("the FADT announces only what is there") {
    const Bytes fadt = tables_of(with_cpus(1)).at("FACP");
    const auto boot = read_at<uint16_t>(fadt, 109);
    CHECK((boot & 1 << 1) == 0);  // 8042
    CHECK((boot & 1 << 2) != 0);  // VGA not present
    CHECK((boot & 1 << 3) == 0);  // MSI not supported
    CHECK((boot & 1 << 5) != 0);  // CMOS RTC not present
    const auto flags = read_at<uint32_t>(fadt, 112);
    CHECK((flags & 1 << 4) == 0);               // PWR_BUTTON clear: the fixed button exists
    CHECK((flags & 1 << 5) != 0);               // SLP_BUTTON set: the fixed one doesn't
    CHECK((flags & 1 << 8) != 0);               // TMR_VAL_EXT
    CHECK((flags & 1 << 10) != 0);              // RESET_REG_SUP
    CHECK((flags & 1 << 20) == 0);              // HW_REDUCED_ACPI would keep COM1 from userspace
    CHECK(read_at<uint16_t>(fadt, 96) > 100);   // no C2
    CHECK(read_at<uint16_t>(fadt, 98) > 1000);  // no C3
    for (const size_t absent :
         {60u, 68u, 72u, 76u, 80u, 84u})  // PM1b, PM2, the PM timer unless asked for, GPE0, GPE1
        CHECK(read_at<uint32_t>(fadt, absent) == 0);
}

TEST_CASE("the FACS lies on 64 bytes, and the FADT names it once") {
    const Bytes image = build_tables(with_cpus(3), kBase);
    const Bytes fadt = walk_tables(image, kBase).at("FACP");
    CHECK(read_at<uint32_t>(fadt, 36) % 64 == 0);
    CHECK(read_at<uint64_t>(fadt, 132) == 0);
}

TEST_CASE("the MADT has a local APIC entry for ids below 255 and an x2APIC entry from there on") {
    const Bytes madt = tables_of(with_cpus(300)).at("APIC");
    const auto local = madt_entries(madt, 0);
    const auto x2 = madt_entries(madt, 9);
    REQUIRE(local.size() == 255);
    REQUIRE(x2.size() == 45);
    CHECK(read_at<uint8_t>(local.back(), 1) == 254);
    CHECK(read_at<uint32_t>(local.back(), 2) == 1);  // enabled
    CHECK(read_at<uint32_t>(x2.front(), 2) == 255);
    CHECK(read_at<uint32_t>(x2.front(), 6) == 1);
    CHECK(read_at<uint32_t>(x2.back(), 2) == 299);
}

TEST_CASE("the MADT keeps the order of the CPUs and their ids, gaps too") {
    Platform platform;
    platform.apic_ids = {0, 1, 4, 5};
    const auto local = madt_entries(tables_of(platform).at("APIC"), 0);
    REQUIRE(local.size() == 4);
    CHECK(read_at<uint8_t>(local[2], 1) == 4);
}

TEST_CASE("the MADT wires the SCI level-triggered and active high") {
    const Bytes madt = tables_of(with_cpus(1)).at("APIC");
    CHECK(read_at<uint32_t>(madt, 36) == 0xfee00000);
    const auto io_apic = madt_entries(madt, 1);
    REQUIRE(io_apic.size() == 1);
    CHECK(read_at<uint32_t>(io_apic[0], 2) == 0xfec00000);
    const auto overrides = madt_entries(madt, 2);
    REQUIRE(overrides.size() == 1);  // IRQ 0 is GSI 0, as KVM routes it
    CHECK(read_at<uint8_t>(overrides[0], 1) == 9);
    CHECK(read_at<uint32_t>(overrides[0], 2) == 9);
    CHECK(read_at<uint16_t>(overrides[0], 6) == 0xd);
}

TEST_CASE("the DSDT has the devices that the platform has, and no others") {
    const auto samples = sample_platforms();
    const Bytes bare = tables_of(samples.at("bare")).at("DSDT");
    const Bytes usual = tables_of(samples.at("default")).at("DSDT");
    const Bytes everything = tables_of(samples.at("everything")).at("DSDT");
    for (const char* absent : {"COM1", "PCI0", "LNRO0005"}) CHECK_FALSE(contains(bare, absent));
    CHECK(contains(bare, "_S5_"));
    for (const char* present : {"COM1", "PCI0", "_PRT"}) CHECK(contains(usual, present));
    for (const char* absent : {"ECAM", "_OSC", "LNRO0005"}) CHECK_FALSE(contains(usual, absent));
    for (const char* present : {"ECAM", "_OSC", "VR00", "VR1D"}) CHECK(contains(everything, present));
    CHECK_FALSE(contains(everything, "VR1E"));
}

TEST_CASE("MCFG gives the ECAM region and its buses") {
    const Bytes mcfg = tables_of(sample_platforms().at("everything")).at("MCFG");
    REQUIRE(mcfg.size() == 60);
    CHECK(read_at<uint64_t>(mcfg, 44) == raw(address_map::kEcam));
    CHECK(read_at<uint8_t>(mcfg, 54) == 0);
    CHECK(read_at<uint8_t>(mcfg, 55) == 255);
}

TEST_CASE("ports and the SCI come from the platform, not from constants") {
    Platform platform = with_cpus(1);
    platform.fixed.pm1a_event = 0x1400;
    platform.fixed.sci = 10;
    platform.com1->base = 0x2f8;
    platform.com1->irq = 3;
    const auto tables = tables_of(platform);
    CHECK(read_at<uint32_t>(tables.at("FACP"), 56) == 0x1400);
    CHECK(read_at<uint16_t>(tables.at("FACP"), 46) == 10);
    const auto overrides = madt_entries(tables.at("APIC"), 2);
    REQUIRE(overrides.size() == 1);
    CHECK(read_at<uint8_t>(overrides[0], 1) == 10);
    CHECK(contains(tables.at("DSDT"), "\x47\x01\xf8\x02\xf8\x02\x01\x08\x22\x08"));
}

TEST_CASE("each slot's pins are spread over the eight INTx lines") {
    CHECK(address_map::pci_intx_gsi(0, 0) == 16);
    CHECK(address_map::pci_intx_gsi(1, 0) == 17);
    CHECK(address_map::pci_intx_gsi(7, 3) == 18);
    CHECK(address_map::pci_intx_gsi(31, 3) < address_map::kIoApicPins);
}

TEST_CASE("install puts the tables where a scan finds the RSDP, and gives its address") {
    auto memory = GuestMemory::create(RamMap::of_size(16 * kMiB), MemoryBacking::kAnonymous);
    REQUIRE(memory.ok());
    const auto rsdp = install(with_cpus(4), **memory);
    REQUIRE(rsdp.ok());
    CHECK(*rsdp == Gpa{0xe0000});
    const Bytes image = build_tables(with_cpus(4), kBase);
    const auto slice = (*memory)->slice(kBase, image.size());
    REQUIRE(slice);
    CHECK(std::equal(slice->begin(), slice->end(), image.begin()));
}

TEST_CASE("4,096 CPUs, KVM's most, fit into the default area; more than fit is an error that says so") {
    auto memory = GuestMemory::create(RamMap::of_size(16 * kMiB), MemoryBacking::kAnonymous);
    REQUIRE(memory.ok());
    CHECK(install(with_cpus(4096), **memory).ok());
    CHECK(install(with_cpus(7000), **memory).ok());
    const auto refused = install(with_cpus(9000), **memory);
    REQUIRE_FALSE(refused.ok());
    CHECK(refused.error().what.find("9000 CPUs") != std::string::npos);
    CHECK_FALSE(refused.error().advice.empty());
}

TEST_CASE("an area that isn't RAM is an error") {
    auto memory = GuestMemory::create(RamMap::of_size(16 * kMiB), MemoryBacking::kAnonymous);
    REQUIRE(memory.ok());
    CHECK_FALSE(install(with_cpus(1), **memory, {Gpa{16 * kMiB}, 64 * kKiB}).ok());
    CHECK_FALSE(install(with_cpus(1), **memory, {Gpa{16 * kMiB - 64}, 64 * kKiB}).ok());
}
