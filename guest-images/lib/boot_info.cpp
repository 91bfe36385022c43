// Reads struct boot_params (Linux Documentation/arch/x86/zero-page.rst) and hvm_start_info (Xen
// public/arch-x86/hvm/start_info.h).
#include "lib/boot_info.h"

#include "lib/physical.h"

namespace guest {
namespace {

constexpr std::uint32_t kE820Ram = 1;

// boot_params, byte offsets.
constexpr std::uint64_t kAcpiRsdpAddr = 0x070;
constexpr std::uint64_t kE820Entries = 0x1e8;
constexpr std::uint64_t kCmdLinePtr = 0x228;
constexpr std::uint64_t kE820Table = 0x2d0;
constexpr std::uint64_t kE820EntrySize = 20;

// hvm_start_info, byte offsets.
constexpr std::uint64_t kPvhVersion = 4;
constexpr std::uint64_t kPvhCmdline = 24;
constexpr std::uint64_t kPvhRsdp = 32;
constexpr std::uint64_t kPvhMemmap = 40;
constexpr std::uint64_t kPvhMemmapEntries = 48;
constexpr std::uint64_t kPvhMemmapEntrySize = 24;

constinit BootInfo info = {};
constinit char cmdline[BootInfo::kMaxCmdline] = {};

void copy_cmdline(std::uint64_t address) {
    unsigned length = 0;
    if (address != 0)
        while (length < BootInfo::kMaxCmdline - 1) {
            const char c = read_physical<char>(address + length);
            if (c == 0) break;
            cmdline[length++] = c;
        }
    info.cmdline = Text(cmdline, length);
}

// Both memory maps start each entry with base, size, type.
void copy_ranges(std::uint64_t table, std::uint64_t count, std::uint64_t entry_size) {
    for (std::uint64_t i = 0; i < count && info.range_count < BootInfo::kMaxRanges; ++i) {
        const std::uint64_t entry = table + i * entry_size;
        if (read_physical<std::uint32_t>(entry + 16) != kE820Ram) continue;
        info.ranges[info.range_count++] = {read_physical<std::uint64_t>(entry),
                                           read_physical<std::uint64_t>(entry + 8)};
    }
}

void from_boot_params(std::uint64_t params) {
    info.rsdp = read_physical<std::uint64_t>(params + kAcpiRsdpAddr);
    copy_cmdline(read_physical<std::uint32_t>(params + kCmdLinePtr));
    copy_ranges(params + kE820Table, read_physical<std::uint8_t>(params + kE820Entries), kE820EntrySize);
}

void from_pvh(std::uint64_t start) {
    info.pvh = true;
    info.rsdp = read_physical<std::uint64_t>(start + kPvhRsdp);
    copy_cmdline(read_physical<std::uint64_t>(start + kPvhCmdline));
    if (read_physical<std::uint32_t>(start + kPvhVersion) == 0) return;  // version 0 has no memory map
    copy_ranges(read_physical<std::uint64_t>(start + kPvhMemmap),
                read_physical<std::uint32_t>(start + kPvhMemmapEntries), kPvhMemmapEntrySize);
}

// The value at the start of `text`: up to the closing quote, or to the next blank.
Text value_at(Text text) {
    if (!text.empty() && text.data[0] == '"') return text.from(1).first(find(text.from(1), '"'));
    return text.first(find(text, ' '));
}

}  // namespace

void boot_info_init(unsigned kind, std::uint64_t address) {
    kind == 0 ? from_boot_params(address) : from_pvh(address);
}

const BootInfo& boot_info() {
    return info;
}

Text option(Text name, Text otherwise) {
    bool word_starts = true;
    bool quoted = false;
    for (std::size_t i = 0; i < info.cmdline.size; ++i) {
        const Text rest = info.cmdline.from(i);
        if (word_starts && starts_with(rest, name) && starts_with(rest.from(name.size), "="))
            return value_at(rest.from(name.size + 1));
        if (rest.data[0] == '"') quoted = !quoted;
        word_starts = rest.data[0] == ' ' && !quoted;
    }
    return otherwise;
}

std::uint64_t option_number(Text name, std::uint64_t otherwise) {
    return to_number(option(name), otherwise);
}

}  // namespace guest
