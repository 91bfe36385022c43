// Configuration space and registers by every width, at every offset, through every door. PCI 3.0,
// section 6.2; PCI Express 5.0, section 7.2.2; VIRTIO 1.3, sections 4.1.3.1 and 4.1.4.9.
#include <initializer_list>

#include "hostile/attack.h"

namespace guest {
namespace {

constexpr unsigned kConfigSize = 256;

template <typename T>
void read_all(std::uint64_t base, unsigned size) {
    for (unsigned at = 0; at < size; ++at) (void)read_physical<T>(base + at);
}
template <typename T>
void write_all(std::uint64_t base, unsigned size, T value) {
    for (unsigned at = 0; at < size; ++at) write_physical<T>(base + at, value);
}
template <typename T>
void write_config(unsigned slot, T value) {
    for (unsigned at = 0; at < kConfigSize; at += sizeof(T)) pci_write<T>(slot, at, value);
}

// Whatever was written, the function is found again where it was.
const char* reopened(Attack& a, std::uint32_t bar) {
    const unsigned slot = a.device().slot();
    pci_write<std::uint32_t>(slot, kPciBar0, bar);
    if (!a.driver.open(slot)) return "the function has gone";
    return a.device().bar() == bar ? a.driver.start(a.packed) : "the BAR didn't come back";
}
const char* every_register(Attack& a) {
    const unsigned slot = a.device().slot();
    const std::uint32_t bar = a.device().bar();
    std::uint32_t before[4];
    for (unsigned i = 0; i < 4; ++i) before[i] = pci_read<std::uint32_t>(slot, i * 4);
    write_config<std::uint8_t>(slot, 0xff);
    write_config<std::uint16_t>(slot, 0xa5a5);
    write_config<std::uint32_t>(slot, 0x5a5a5a5a);
    write_config<std::uint32_t>(slot, 0);
    for (unsigned i = 0; i < 4; ++i)
        if (i != 1 && pci_read<std::uint32_t>(slot, i * 4) != before[i])
            return "a register changed that is read-only";
    return reopened(a, bar);
}
const char* odd_ports(Attack&) {
    for (const unsigned port : {0xcf8u, 0xcfau, 0xcfbu, 0xcfdu, 0xcffu}) {
        (void)in32(static_cast<std::uint16_t>(port));
        (void)in16(static_cast<std::uint16_t>(port));
        out16(static_cast<std::uint16_t>(port), 0xffff);
    }
    for (const std::uint32_t address : {0u, 0x7fffffffu, 0xffffffffu, 0x80ffff00u}) {
        out32(kPciAddressPort, address);
        (void)in32(kPciDataPort);
        out32(kPciDataPort, ~0u);
        (void)in16(kPciDataPort + 3);
    }
    return nullptr;
}
const char* odd_ecam(Attack& a) {
    if (acpi().ecam == 0) return nullptr;
    const std::uint64_t base = ecam_address(a.device().slot(), 0);
    read_all<std::uint8_t>(base, 96);
    read_all<std::uint32_t>(base, 96);
    read_all<std::uint64_t>(base, 96);
    if (read_physical<std::uint16_t>(base) != pci_read<std::uint16_t>(a.device().slot(), kPciVendor))
        return "ECAM and the ports see different functions";
    for (const unsigned at :
         {0xf8u, 0x100u, 0xffcu, 0xffdu, 0x1000u, 0x7ffcu}) {  // past the end, other functions
        write_physical<std::uint64_t>(base + at, ~0ull);
        (void)read_physical<std::uint64_t>(base + at);
    }
    (void)read_physical<std::uint32_t>(acpi().ecam + 0x0ffffffc);  // the last bus
    (void)read_physical<std::uint64_t>(acpi().ecam + 0x000ffffc);  // over the end of bus 0
    return nullptr;
}
const char* window(Attack& a) {
    const unsigned slot = a.device().slot();
    const unsigned at = a.device().window();
    if (at == 0) return nullptr;
    for (const unsigned bar : {0u, 1u, 5u, 6u, 255u}) {
        pci_write<std::uint8_t>(slot, at + 4, static_cast<std::uint8_t>(bar));
        for (const std::uint32_t offset :
             {0u, 1u, 0x14u, 0x3000u, 0x4000u, 0x7ffcu, 0x7fffu, 0x8000u, 0xffffffffu}) {
            pci_write<std::uint32_t>(slot, at + 8, offset);
            for (const std::uint32_t length : {0u, 1u, 2u, 3u, 4u, 8u, 0xffffffffu}) {
                pci_write<std::uint32_t>(slot, at + 12, length);
                (void)pci_read<std::uint32_t>(slot, at + 16);
                (void)pci_read<std::uint8_t>(slot, at + 19);
                if (offset != 0x14) pci_write<std::uint16_t>(slot, at + 17, 0xffff);
            }
        }
    }
    return nullptr;
}
const char* common_by_every_width(Attack& a) {
    const std::uint64_t common = a.device().common();
    read_all<std::uint8_t>(common, 72);
    read_all<std::uint16_t>(common, 72);
    read_all<std::uint32_t>(common, 72);
    read_all<std::uint64_t>(common, 72);
    // Wide writes over the status mustn't reach it, nor writes of one byte a wider register.
    for (unsigned at = 0; at < 72; ++at) {
        if (at != kDeviceStatus) write_physical<std::uint8_t>(common + at, 0xff);
        write_physical<std::uint64_t>(common + at, ~0ull);
        if (at % 2 != 0) write_physical<std::uint16_t>(common + at, 0xffff);
        if (at % 4 != 0) write_physical<std::uint32_t>(common + at, ~0u);
    }
    return nullptr;
}
const char* device_config_by_every_width(Attack& a) {
    const std::uint64_t config = a.device().device_config();
    read_all<std::uint8_t>(config, 72);
    read_all<std::uint16_t>(config, 72);
    read_all<std::uint32_t>(config, 72);
    read_all<std::uint64_t>(config, 72);
    write_all<std::uint8_t>(config, 72, 0xff);
    write_all<std::uint16_t>(config, 72, 0xffff);
    write_all<std::uint32_t>(config, 72, ~0u);
    write_all<std::uint64_t>(config, 72, 0);
    for (const unsigned at : {0x100u, 0xff8u, 0xffcu}) {
        write_physical<std::uint64_t>(config + at, ~0ull);
        (void)read_physical<std::uint64_t>(config + at);
    }
    return nullptr;
}
const char* everywhere_in_the_bar(Attack& a) {
    constexpr unsigned kBarSize = 0x8000;
    for (unsigned at = 0x38; at < kBarSize; at += 0x1fc) {
        (void)read_physical<std::uint64_t>(a.device().bar() + at);
        if (at < 0x4000 || at >= 0x5000) write_physical<std::uint64_t>(a.device().bar() + at, ~0ull);
    }
    for (const unsigned at : {0xffcu, 0x1ffcu, 0x2ffcu, 0x3ffcu, 0x7ffcu, 0x7fffu}) {  // over an edge
        (void)read_physical<std::uint64_t>(a.device().bar() + at);
        write_physical<std::uint64_t>(a.device().bar() + at, ~0ull);
    }
    return nullptr;
}

constexpr Case kCases[] = {
    {"every-register-of-configuration-space", every_register, Rings::kBoth, false},
    {"odd-ports", odd_ports},
    {"odd-ECAM", odd_ecam},
    {"configuration-access-capability", window, Rings::kBoth, false},
    {"common-configuration-by-every-width", common_by_every_width},
    {"device-configuration-by-every-width", device_config_by_every_width, Rings::kBoth, false},
    {"everywhere-in-the-BAR", everywhere_in_the_bar, Rings::kBoth, false},
};

}  // namespace

Cases config_cases() {
    return kCases;
}

}  // namespace guest
