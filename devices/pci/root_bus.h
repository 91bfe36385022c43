// RootBus: bus 0, the only one: which function answers in which slot.
//
// The slots. Each kind of device has a fixed range; within a kind the order given counts, or `slot=`. Another
// kind never moves it (DESIGN.md section 10), so a guest's names and a snapshot stay valid.
//
//   slot        kind                         room for
//   00          host bridge                  1
//   01          pvpanic                      1
//   02          virtio-rng                   1
//   03          virtio-balloon               1
//   04          virtio-vsock                 1
//   05          virtio-console               1
//   06 ... 07   kept free                    2
//   08 ... 0f   virtio-net                   8
//   10 ... 1f   virtio-blk                  16
//   More than fits becomes functions 1 to 7 of the kind's own slots.
//
// What a guest's scan costs: Linux reads the class of all 32 slots early in the boot and the vendor id of all
// 32 again later, two port accesses each. Function 0 that says "single function" (header type bit 7 = 0)
// spares the other seven; the ACPI tables' bus range 0 to 0 spares the other 255 buses. The writes of 0xcf8
// needn't leave the guest at all, see config_ports.h.
#pragma once

#include <array>
#include <cstdint>
#include <span>

#include "devices/pci/function.h"
#include "vmm/base/bytes.h"
#include "vmm/base/result.h"
#include "vmm/model/address_map_x86.h"

namespace carrel::pci {

// Where in configuration space; as ports and ECAM address it.
struct ConfigAddress {
    uint8_t bus = 0;
    uint8_t slot = 0;      // 0 to 31
    uint8_t function = 0;  // 0 to 7
    uint16_t offset = 0;   // 0 to 4095
};

// attach() before the guest runs; the rest from any vCPU thread.
class RootBus {
  public:
    static constexpr unsigned kSlots = address_map::kPciSlots;

    // Function 0 of a free slot. `function` outlives the bus.
    void attach(unsigned slot, Function& function);

    // `data` is 1 to 4 bytes inside one aligned dword. Where nobody is, reads give all ones (PCI 3.0,
    // section 6.1) and writes are ignored.
    void read(const ConfigAddress& address, std::span<std::byte> data);
    void write(const ConfigAddress& address, std::span<const std::byte> data);

    // All functions. ConfigPorts calls these, nobody else need.
    void reset();
    void save(ByteWriter& writer) const;
    // The saved machine must have had functions in the same slots.
    Result<void> restore(ByteReader& reader);

  private:
    Function* find(const ConfigAddress& address) const;
    Result<void> restore_functions(ByteReader& part);

    std::array<Function*, kSlots> slots_{};
};

}  // namespace carrel::pci
