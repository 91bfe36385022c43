// EarlyConsole: the sending half of a 16550A as one page of registers, for a kernel's first lines. Linux
// knows it as earlycon=uart8250,mmio,ADDRESS. National Semiconductor, PC16550D datasheet; register numbers in
// serial_registers.h.
//
// Why a second UART beside COM1: a kernel that polls a port asks for LSR before each byte, and IN always
// leaves the guest, as far as to us. Here the guest reads LSR in a page of memory that KVM lets it only read
// (KVM_MEM_READONLY): no exit at all; and KVM collects what it writes. It's also there long before COM1's
// driver, so an early crash has its words.
//
//   +0 THR  -w  to the console        +5 LSR  r-  THRE and TEMT, always        all else reads 0, writes are
//   ignored
//
// Missing: receiving, interrupts, line speed. It has no state: there is nothing to save.
#pragma once

#include <atomic>
#include <cstdint>
#include <span>

#include "vmm/base/byte_sink.h"
#include "vmm/bus/device.h"
#include "vmm/bus/transmit_coalescing.h"

namespace carrel {

class EarlyConsole final : public Device, public TransmitRegister {
  public:
    static constexpr uint64_t kSize = 4096;

    // Both outlive the device.
    EarlyConsole(ByteSink& sink, TransmitCoalescing& coalescing) : sink_(sink), coalescing_(coalescing) {}

    // What the guest finds in the page that it may read, kSize bytes of zeros before.
    static void fill(std::span<std::byte> page);

    std::string_view name() const override { return "early-console"; }
    // For whoever asks without KVM: the same as the page.
    void read(uint64_t offset, std::span<std::byte> data) override;
    void write(uint64_t offset, std::span<const std::byte> data) override;
    void transmit(std::span<const std::byte> bytes) override { sink_.write(bytes); }

  private:
    ByteSink& sink_;
    TransmitCoalescing& coalescing_;
    std::atomic<bool> asked_{false};
};

}  // namespace carrel
