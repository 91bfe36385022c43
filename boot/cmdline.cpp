#include "boot/cmdline.h"

#include <fmt/format.h>

#include <algorithm>

#include "vmm/model/address_map_x86.h"

namespace carrel::boot {
namespace {

constexpr std::string_view kConsole = "console=", kSerial = "ttyS0";

// The next word and its delimiter are taken off `rest`; empty at the end. As in Linux, any blank separates.
std::string_view take_word(std::string_view& rest) {
    constexpr std::string_view kBlanks = " \t\n\r\v\f";
    rest.remove_prefix(std::min(rest.find_first_not_of(kBlanks), rest.size()));
    const std::string_view word = rest.substr(0, rest.find_first_of(kBlanks));
    rest.remove_prefix(word.size());
    return word;
}

template <class Predicate>
bool any_word(std::string_view cmdline, Predicate predicate) {
    for (auto word = take_word(cmdline); !word.empty(); word = take_word(cmdline)) {
        if (predicate(word)) return true;
    }
    return false;
}

// Where the words for the kernel end: what follows a word "--" is init's.
size_t end_of_kernel_words(std::string_view cmdline) {
    std::string_view rest = cmdline;
    size_t end = 0;
    for (auto word = take_word(rest); !word.empty() && word != "--"; word = take_word(rest)) {
        end = cmdline.size() - rest.size();
    }
    return end;
}

}  // namespace

bool has_word(std::string_view cmdline, std::string_view word) {
    return any_word(cmdline, [&](std::string_view found) { return found == word; });
}

bool has_prefix(std::string_view cmdline, std::string_view prefix) {
    return any_word(cmdline, [&](std::string_view found) { return found.starts_with(prefix); });
}

bool is_switched_off(std::string_view cmdline, std::string_view name) {
    bool off = false;
    (void)any_word(cmdline, [&](std::string_view word) {
        if (!word.starts_with(name) || !word.substr(name.size()).starts_with('=')) return false;
        const std::string_view value = word.substr(name.size() + 1);
        off = value.find_first_of("0nNfF") == 0 || value.starts_with("of") || value.starts_with("OF");
        return false;
    });
    return off;
}

namespace {

// Linux lets go of an early console when its preferred one comes, the last that is named, and prints nothing
// twice then. Another one that comes before, on the same line, would print all from the beginning.
bool early_console_helps(std::string_view said, std::string_view console) {
    std::string_view preferred = console;
    (void)any_word(said, [&](std::string_view word) {
        if (word.starts_with(kConsole)) preferred = word.substr(kConsole.size());
        return false;
    });
    if (preferred.starts_with(kSerial)) return true;
    return preferred.starts_with(console) && !has_prefix(said, "console=ttyS0");
}

}  // namespace

// In front, so that what a person wrote has the last word, and so that a "--" of theirs doesn't hide it from
// the kernel. No reboot=: our tables have ACPI's reset register, and before they are read Linux pulses the
// 8042's reset line, which works. No i8042.*: the tables say that there is none.
std::string final_cmdline(const std::string& user, std::optional<Gpa> early_console,
                          std::string_view console) {
    const std::string_view said = std::string_view(user).substr(0, end_of_kernel_words(user));
    std::string line;
    if (!has_prefix(said, kConsole)) line += fmt::format("{}{} ", kConsole, console);
    if (!has_prefix(said, "panic=")) line += "panic=-1 ";
    line += user;
    if (line.ends_with(' ') && user.empty()) line.pop_back();
    const bool early = early_console || console != kSerial;
    if (!early || has_prefix(said, "earlycon") || !early_console_helps(said, console)) return line;
    const std::string where = early_console ? fmt::format("mmio,{:#x}", raw(*early_console))
                                            : fmt::format("io,{:#x}", address_map::kCom1);
    // Behind what they wrote: it prints at once what has been logged so far, and a `quiet` must have been
    // seen by then.
    line.insert(end_of_kernel_words(line), " earlycon=uart8250," + where);
    return line;
}

// In the order given, behind what was said: a driver probes them in this order.
std::string announce_mmio(const std::string& line, std::span<const MmioDevice> devices) {
    constexpr uint32_t kLegacyPins = 16;
    const size_t end = end_of_kernel_words(line);
    if (!has_word(std::string_view(line).substr(0, end), "acpi=off")) return line;
    std::string words;
    for (const MmioDevice& device : devices) {
        if (device.irq >= kLegacyPins) continue;
        words += fmt::format(" virtio_mmio.device={:#x}@{:#x}:{}", device.size, raw(device.base), device.irq);
    }
    return std::string(line).insert(end, words);
}

}  // namespace carrel::boot
