// The kernel's command line: words, and what carrel adds to them.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "vmm/model/gpa.h"

namespace carrel::boot {

// The command line that the kernel gets: what a person needs but didn't say, before what they said.
//   console=CONSOLE  unless they name a console: else nothing would be seen. ttyS0, or hvc0: a virtio console
//   panic=-1         unless they say panic=: a panic resets at once, so that the run ends and its status is
//                    known
//   earlycon=...     where the machine has an early console (devices/early_console.h), unless they say
//                    earlycon or prefer another console: the kernel's first lines come as they are
//                    written, with fewer exits. Before hvc0 there is no other console, so where there is no
//                    early one the serial port is used in this way.
std::string final_cmdline(const std::string& user, std::optional<Gpa> early_console,
                          std::string_view console = "ttyS0");

// A virtio-mmio device, for a kernel that ACPI can't tell of it.
struct MmioDevice {
    Gpa base;
    uint64_t size;
    uint32_t irq;
};
// `line`, with a word virtio_mmio.device=SIZE@BASE:IRQ for each of `devices` that an 8259 has a pin for,
// where the kernel is told to leave ACPI alone (acpi=off); `line` itself otherwise. A kernel that does both
// would find each device twice, and complain about the second one. Debian's kernels don't know the word
// (CONFIG_VIRTIO_MMIO_CMDLINE_DEVICES). A kernel that was built without ACPI: acpi=off does it no harm.
std::string announce_mmio(const std::string& line, std::span<const MmioDevice> devices);

// Whether `cmdline` has exactly this word, or a word that begins with `prefix`.
bool has_word(std::string_view cmdline, std::string_view word);
bool has_prefix(std::string_view cmdline, std::string_view prefix);

// Whether the kernel is told `name`=0, n, off or the like (lib/kstrtox.c, kstrtobool); the last word counts.
bool is_switched_off(std::string_view cmdline, std::string_view name);

}  // namespace carrel::boot
