#include "boot/pvh_x86.h"

#include <fmt/core.h>

#include "boot/boot_block_x86.h"
#include "boot/boot_layout_x86.h"
#include "boot/memory_map.h"

namespace carrel::boot {
namespace {

// public/arch-x86/hvm/start_info.h, version 1.
constexpr uint32_t kStartMagic = 0x336e'c578;
struct StartInfo {
    uint32_t magic = kStartMagic;
    uint32_t version = 1;
    uint32_t flags = 0;
    uint32_t module_count = 0;
    uint64_t modules = 0;
    uint64_t cmdline = 0;
    uint64_t rsdp = 0;
    uint64_t memory_map = 0;
    uint32_t memory_map_entries = 0;
    uint32_t reserved = 0;
};
static_assert(sizeof(StartInfo) == 56);
struct StartModule {
    uint64_t base = 0, size = 0, cmdline = 0, reserved = 0;
};
struct StartMapEntry {
    uint64_t base = 0, size = 0;
    uint32_t type = 0, reserved = 0;
};
static_assert(sizeof(StartMapEntry) == 24);

// Within the block's first page.
constexpr uint64_t kModulesAt = 0x40;
constexpr uint64_t kMapAt = 0x60;
constexpr size_t kMostEntries = (layout::kPageTables - kMapAt) / sizeof(StartMapEntry);

void write_start_info(LoadContext& context, const BootBlock& block) {
    const Gpa at = block.boot_params();
    StartInfo info;
    info.cmdline = raw(block.cmdline());
    info.rsdp = raw(context.request.rsdp);
    if (context.initrd) {
        info.module_count = 1;
        info.modules = raw(at + kModulesAt);
        CHECK(context.memory.write(at + kModulesAt,
                                   StartModule{raw(context.initrd->base), context.initrd->size, 0, 0}));
    }
    const auto map = memory_map(context.memory.map(), context.request.reserved);
    CHECK_MSG(map.size() <= kMostEntries, "more memory ranges than the boot block takes");
    info.memory_map = raw(at + kMapAt);
    info.memory_map_entries = static_cast<uint32_t>(map.size());
    for (size_t i = 0; i < map.size(); ++i) {
        const StartMapEntry entry{raw(map[i].base), map[i].size, static_cast<uint32_t>(map[i].type), 0};
        CHECK(context.memory.write(at + kMapAt + i * sizeof entry, entry));
    }
    CHECK(context.memory.write(at, info));
}

// PVH itself has no limit, and a kernel other than Linux may take more.
void note_long_cmdline(LoadContext& context) {
    constexpr size_t kLinuxTakes = 2047;  // COMMAND_LINE_SIZE - 1 of x86; arch/x86/platform/pvh/enlighten.c
    const size_t size = context.request.cmdline.size();
    if (size <= kLinuxTakes) return;
    context.result.notes.push_back(
        fmt::format("the command line has {} characters: Linux, started by its PVH entry, takes the first {}",
                    size, kLinuxTakes));
}

}  // namespace

Result<void> enter_pvh(LoadContext& context, uint32_t entry) {
    note_long_cmdline(context);
    TRY_ASSIGN(const BootBlock block, BootBlock::create(context, false));
    write_start_info(context, block);
    if (context.initrd) TRY(read_initrd(*context.request.initrd, *context.initrd, context.memory));
    context.result.cpu = block.protected_mode(entry);
    return {};
}

}  // namespace carrel::boot
