// BootBlock: what the CPU and the kernel find at entry (picture: boot_layout_x86.h), and the registers that
// point at it.
#pragma once

#include <cstdint>
#include <optional>

#include "boot/load_context.h"

namespace carrel::boot {

// Claims the block, when the image and the initrd have their places, and writes the parts that every entry
// shares.
class BootBlock {
  public:
    // Page tables only where the CPU starts with paging on.
    static Result<BootBlock> create(LoadContext& context, bool long_mode);

    Gpa boot_params() const { return base_ + 0; }
    std::optional<Gpa> setup_data() const;  // the list for boot_params; none without entropy
    Gpa cmdline() const;

    // The 64-bit boot protocol's state (Linux Documentation/arch/x86/boot.rst): CS 0x10, DS 0x18, interrupts
    // off, RSI.
    CpuState long_mode(uint64_t entry) const;
    // PVH's: 32-bit protected mode without paging, flat segments, EBX (Xen docs/misc/pvh.pandoc).
    CpuState protected_mode(uint32_t entry) const;

  private:
    explicit BootBlock(Gpa base) : base_(base) {}
    Gpa base_;
    uint64_t seed_offset_ = 0;
};

}  // namespace carrel::boot
