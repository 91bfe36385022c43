// The registers of configuration space that every function has. PCI Local Bus Specification 3.0, section 6.1,
// figure 6-1 "Type 00h Configuration Space Header", and section 6.2.
#pragma once

#include <cstddef>
#include <cstdint>

namespace carrel::pci {

// The column says what a function of ours does, unless its own header says otherwise.
enum ConfigRegister : uint32_t {
    kVendorId = 0x00,       // r- 16 bits, 6.2.1
    kDeviceId = 0x02,       // r- 16
    kCommand = 0x04,        // rw 16, 6.2.2; a bit for what a function doesn't do is 0
    kStatus = 0x06,         // r- 16, 6.2.3
    kRevisionId = 0x08,     // r- 8
    kProgInterface = 0x09,  // r- 8, 6.2.1 and appendix D
    kSubclass = 0x0a,       // r- 8
    kBaseClass = 0x0b,      // r- 8
    kHeaderType = 0x0e,     // r- 8; bit 7: has more than one function
    // Endpoints only:
    kBar0 = 0x10,               // rw 32, 6.2.5.1
    kBar1 = 0x14,               // rw 32, where there is one
    kSubsystemVendorId = 0x2c,  // r- 16, 6.2.4
    kSubsystemId = 0x2e,        // r- 16
    kCapabilities = 0x34,       // r- 8, 6.7
    kInterruptLine = 0x3c,      // rw 8, 6.2.4: a note of the guest's to itself
    kInterruptPin = 0x3d,       // r- 8: 1 is INTA
    kFirstCapability = 0x40,    // where what we announce in kCapabilities may begin
};

// kCommand, 6.2.2
inline constexpr uint16_t kCommandIo = 1u << 0;      // BARs of ports are decoded
inline constexpr uint16_t kCommandMemory = 1u << 1;  // BARs of memory are decoded
inline constexpr uint16_t kCommandMaster = 1u << 2;
inline constexpr uint16_t kCommandNoIntx = 1u << 10;
// kStatus, 6.2.3
inline constexpr uint16_t kStatusInterrupt = 1u << 3;
inline constexpr uint16_t kStatusCapabilities = 1u << 4;

// kBar0…, 6.2.5.1: bit 0 says which space, and a guest can't change it.
inline constexpr uint32_t kBarIo = 1;

// Capability ids, appendix H.
enum CapabilityId : uint8_t {
    kVendorSpecific = 0x09,
    kMsix = 0x11,
    kAdvancedFeatures = 0x13,  // "Advanced Capabilities for Conventional PCI" ECN of 2006
};

inline constexpr size_t kConventionalSize = 256;  // PCI
inline constexpr size_t kExtendedSize = 4096;     // PCI Express, by ECAM

}  // namespace carrel::pci
