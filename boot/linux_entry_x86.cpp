#include "boot/linux_entry_x86.h"

#include <fmt/core.h>

#include <cstring>

#include "boot/boot_block_x86.h"
#include "boot/memory_map.h"

namespace carrel::boot {
namespace {

// Linux Documentation/arch/x86/boot.rst, "Details of Header Fields".
constexpr uint16_t kBootFlag = 0xaa55;
constexpr uint32_t kHeaderMagic = 0x5372'6448;  // "HdrS"
constexpr uint16_t kProtocol2_15 = 0x020f;
constexpr uint8_t kUndefinedLoader = 0xff;
constexpr uint8_t kLoadedHigh = 1u << 0;
constexpr uint8_t kKaslrFlag = 1u << 1;
constexpr uint32_t kDefaultCmdlineSize = 2047;  // COMMAND_LINE_SIZE - 1 of x86

Result<void> check_cmdline(const LoadContext& context, uint32_t limit) {
    const size_t size = context.request.cmdline.size();
    if (size <= limit) return {};
    return usage_error(fmt::format("the command line has {} characters, but {} takes at most {}", size,
                                   context.image.name(), limit),
                       "shorten --append");
}

void put_memory_map(const LoadContext& context, boot_params& params) {
    const auto map = memory_map(context.memory.map(), context.request.reserved);
    CHECK_MSG(map.size() <= E820_MAX_ENTRIES_ZEROPAGE, "more memory ranges than boot_params takes");
    for (size_t i = 0; i < map.size(); ++i) {
        params.e820_table[i] = {raw(map[i].base), map[i].size, static_cast<uint32_t>(map[i].type)};
    }
    params.e820_entries = static_cast<uint8_t>(map.size());
}

uint32_t low_half(uint64_t value) {
    return static_cast<uint32_t>(value);
}
uint32_t high_half(uint64_t value) {
    return static_cast<uint32_t>(value >> 32);
}

// Everything but the header is zero unless it is set here: the documented rule for boot loaders.
boot_params make_boot_params(const LoadContext& context, const setup_header& header, const BootBlock& block) {
    boot_params params;
    std::memset(&params, 0, sizeof params);
    params.hdr = header;
    params.hdr.type_of_loader = kUndefinedLoader;
    params.hdr.cmd_line_ptr = low_half(raw(block.cmdline()));
    params.ext_cmd_line_ptr = high_half(raw(block.cmdline()));
    params.hdr.setup_data = raw(block.setup_data().value_or(Gpa{0}));
    if (context.initrd) {
        params.hdr.ramdisk_image = low_half(raw(context.initrd->base));
        params.ext_ramdisk_image = high_half(raw(context.initrd->base));
        params.hdr.ramdisk_size = low_half(context.initrd->size);
        params.ext_ramdisk_size = high_half(context.initrd->size);
    }
    params.acpi_rsdp_addr = raw(context.request.rsdp);
    put_memory_map(context, params);
    return params;
}

}  // namespace

setup_header default_setup_header() {
    setup_header header;
    std::memset(&header, 0, sizeof header);
    header.boot_flag = kBootFlag;
    header.header = kHeaderMagic;
    header.version = kProtocol2_15;
    header.loadflags = kLoadedHigh;
    header.initrd_addr_max = 0x7fff'ffff;
    header.kernel_alignment = static_cast<uint32_t>(kHugePageSize);
    header.relocatable_kernel = 1;
    header.xloadflags = XLF_KERNEL_64 | XLF_CAN_BE_LOADED_ABOVE_4G;
    header.cmdline_size = kDefaultCmdlineSize;
    return header;
}

Result<void> enter_linux64(LoadContext& context, const setup_header& header, uint64_t entry, bool kaslr) {
    TRY(check_cmdline(context, header.cmdline_size));
    TRY_ASSIGN(const BootBlock block, BootBlock::create(context, true));
    boot_params params = make_boot_params(context, header, block);
    params.hdr.loadflags |= kLoadedHigh;
    params.hdr.loadflags =
        static_cast<uint8_t>(kaslr ? params.hdr.loadflags | kKaslrFlag : params.hdr.loadflags & ~kKaslrFlag);
    CHECK(context.memory.write(block.boot_params(), params));
    if (context.initrd) TRY(read_initrd(*context.request.initrd, *context.initrd, context.memory));
    context.result.cpu = block.long_mode(entry);
    return {};
}

}  // namespace carrel::boot
