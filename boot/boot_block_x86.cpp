#include "boot/boot_block_x86.h"

#include <fmt/core.h>

#include <array>

#include "boot/boot_layout_x86.h"

namespace carrel::boot {
namespace {

// Intel SDM volume 3, 4.5 "4-level paging".
constexpr uint64_t kPresentWritable = 0x3;
constexpr uint64_t kLargePage = 0x80;
constexpr size_t kEntries = 512;
constexpr size_t kDirectories = raw(layout::kIdentityMapEnd) / kGiB;

// SDM volume 3, 3.4.5 and 8.2.3: descriptors in the GDT, and the same in a segment register.
constexpr uint16_t kCodeSelector = 0x10;
constexpr uint16_t kDataSelector = 0x18;
constexpr uint16_t kTaskSelector = 0x20;
constexpr uint8_t kTypeCode = 0xb;  // execute, read, accessed
constexpr uint8_t kTypeData = 0x3;  // read, write, accessed
constexpr uint8_t kTypeBusyTask = 0xb;
constexpr uint16_t kTaskLimit = 0x67;
constexpr std::array<uint64_t, 5> kGdt64 = {0, 0, 0x00af'9b00'0000'ffff, 0x00cf'9300'0000'ffff,
                                            0x0000'8b00'0000'0067};
constexpr std::array<uint64_t, 5> kGdt32 = {0, 0, 0x00cf'9b00'0000'ffff, 0x00cf'9300'0000'ffff,
                                            0x0000'8b00'0000'0067};

struct PageTables {
    std::array<uint64_t, kEntries> level4;
    std::array<uint64_t, kEntries> level3;
    std::array<std::array<uint64_t, kEntries>, kDirectories> level2;
};
static_assert(layout::kPageTables + sizeof(PageTables) == layout::kGdt);

template <class T>
void put(GuestMemory& memory, Gpa at, const T& value) {
    CHECK(memory.write(at, value));  // claimed before, so it is RAM
}

void write_page_tables(GuestMemory& memory, Gpa at) {
    PageTables tables{};
    const uint64_t level3 = raw(at) + offsetof(PageTables, level3);
    const uint64_t level2 = raw(at) + offsetof(PageTables, level2);
    tables.level4[0] = level3 | kPresentWritable;
    for (size_t i = 0; i < kDirectories; ++i) {
        tables.level3[i] = (level2 + i * kPageSize) | kPresentWritable;
        for (size_t j = 0; j < kEntries; ++j) {
            tables.level2[i][j] = (i * kGiB + j * kHugePageSize) | kPresentWritable | kLargePage;
        }
    }
    put(memory, at, tables);
}

SegmentState flat_segment(uint16_t selector, uint8_t type) {
    SegmentState segment;
    segment.selector = selector;
    segment.limit = 0xffff'ffff;
    segment.type = type;
    segment.granularity = true;
    segment.db = true;
    return segment;
}

// What both entries have in common: flat data segments, a task register that VM entry accepts, no LDT, no
// IDT.
CpuState flat_state(Gpa gdt) {
    CpuState cpu;
    cpu.cr0 = kCr0Pe | kCr0Et;
    cpu.cs = flat_segment(kCodeSelector, kTypeCode);
    for (SegmentState* data : {&cpu.ds, &cpu.es, &cpu.fs, &cpu.gs, &cpu.ss}) {
        *data = flat_segment(kDataSelector, kTypeData);
    }
    cpu.tr.selector = kTaskSelector;
    cpu.tr.limit = kTaskLimit;
    cpu.tr.type = kTypeBusyTask;
    cpu.tr.code_or_data = false;
    cpu.ldt.present = false;
    cpu.ldt.code_or_data = false;
    cpu.gdt = TableState{raw(gdt), sizeof kGdt64 - 1};
    return cpu;
}

// The block lies where it stays mapped and reachable with 32 bits, below 1 MiB if possible.
Result<Gpa> claim_block(LoadContext& context) {
    const uint64_t size = layout::kCommandLine + context.request.cmdline.size() + 1;
    auto base = context.ranges.lowest({size, kPageSize, layout::kLowStructures, layout::kLowReserved});
    if (!base)
        base = context.ranges.lowest({size, kPageSize, layout::kLowReservedEnd, layout::kIdentityMapEnd});
    if (!base) {
        return usage_error(
            fmt::format("{}: no room for {} KiB of boot parameters beside the kernel and the initrd",
                        context.image.name(), size / kKiB + 1),
            "give more --memory");
    }
    TRY(context.ranges.claim(*base, size, "the boot parameters"));
    return *base;
}

void write_seed(GuestMemory& memory, Gpa at, std::span<const std::byte> seed) {
    // struct setup_data (boot.rst, "setup_data"): next, type, length, data.
    constexpr uint32_t kSetupRngSeed = 9;
    put(memory, at, uint64_t{0});
    put(memory, at + 8, kSetupRngSeed);
    put(memory, at + 12, static_cast<uint32_t>(seed.size()));
    CHECK(memory.write_bytes(at + 16, seed));
}

}  // namespace

Gpa BootBlock::cmdline() const {
    return base_ + layout::kCommandLine;
}

Result<BootBlock> BootBlock::create(LoadContext& context, bool long_mode) {
    TRY_ASSIGN(const Gpa base, claim_block(context));
    BootBlock block(base);
    GuestMemory& memory = context.memory;
    if (long_mode) write_page_tables(memory, base + layout::kPageTables);
    put(memory, base + layout::kGdt, long_mode ? kGdt64 : kGdt32);
    if (const auto seed = context.guest_seed(); !seed.empty()) {
        write_seed(memory, base + layout::kSetupData, seed);
        block.seed_offset_ = layout::kSetupData;
    }
    const std::string& cmdline = context.request.cmdline;
    CHECK(memory.write_bytes(block.cmdline(), std::as_bytes(std::span(cmdline.c_str(), cmdline.size() + 1))));
    return block;
}

std::optional<Gpa> BootBlock::setup_data() const {
    if (seed_offset_ == 0) return std::nullopt;
    return base_ + seed_offset_;
}

CpuState BootBlock::long_mode(uint64_t entry) const {
    CpuState cpu = flat_state(base_ + layout::kGdt);
    cpu.cs.db = false;
    cpu.cs.long_mode = true;
    cpu.cr0 |= kCr0Pg;
    cpu.cr3 = raw(base_ + layout::kPageTables);
    cpu.cr4 = kCr4Pae;
    cpu.efer = kEferLme | kEferLma;
    cpu.rip = entry;
    cpu.rsi = raw(boot_params());
    return cpu;
}

CpuState BootBlock::protected_mode(uint32_t entry) const {
    CpuState cpu = flat_state(base_ + layout::kGdt);
    cpu.rip = entry;
    cpu.rbx = raw(boot_params());
    return cpu;
}

}  // namespace carrel::boot
