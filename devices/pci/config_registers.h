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
};

inline constexpr size_t kConventionalSize = 256;  // PCI
inline constexpr size_t kExtendedSize = 4096;     // PCI Express, by ECAM

}  // namespace carrel::pci
