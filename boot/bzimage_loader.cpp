// bzImage by the 64-bit entry. The payload is unpacked here, straight to where it will run; where carrel has
// no library for its packing, the guest's own decompressor runs in its place.
#include <fmt/core.h>

#include <algorithm>
#include <array>
#include <optional>
#include <vector>

#include "boot/bad_file.h"
#include "boot/bzimage_file.h"
#include "boot/cmdline.h"
#include "boot/codec.h"
#include "boot/image_placement.h"
#include "boot/image_trim.h"
#include "boot/kaslr.h"
#include "boot/kernel_place.h"
#include "boot/linux_entry_x86.h"
#include "boot/linux_image.h"
#include "boot/loaders.h"
#include "boot/payload_cache.h"
#include "boot/relocations.h"

namespace carrel::boot {
namespace {

constexpr size_t kHeadSize = 4096;    // holds the ELF header and the program headers of every kernel
constexpr uint64_t kEntry64 = 0x200;  // boot.rst, "64-bit Boot Protocol": from the start of the loaded code
constexpr size_t kSizeSuffix = sizeof(uint32_t);

struct PackedKernel {
    const BzImageFile& file;
    const Codec& codec;
    std::span<const std::byte> packed;
    std::string name;  // "vmlinuz, unpacked payload"
};

Error bad_payload(const LoadContext& context, const PackedKernel& kernel, const std::string& what) {
    return bad_file(
        context.image.name(), kernel.file.payload_at,
        fmt::format("the {} payload of {} bytes {}", kernel.codec.name(), kernel.packed.size(), what));
}

Result<ElfFile> parse_payload(std::span<const std::byte> head, const PackedKernel& kernel) {
    TRY_ASSIGN(ElfFile elf, parse_elf(head, {kernel.name, kernel.file.unpacked_size}));
    if (elf.entry_is_physical()) return elf;
    return bad_file(kernel.name, 0, fmt::format("the entry point {:#x} lies outside the image", elf.entry));
}

// Headers first, so that everything is checked and placed before guest memory is touched. Nothing: the
// payload is packed in a way that this codec can't take.
Result<std::optional<ElfFile>> peek(const LoadContext& context, const PackedKernel& kernel) {
    std::array<std::byte, kHeadSize> head{};
    const auto room = std::span(head).first(std::min<size_t>(head.size(), kernel.file.unpacked_size));
    const Unpacked unpacked = kernel.codec.unpack(kernel.packed, room, Codec::Extent::kPrefix);
    if (unpacked.outcome == Unpacked::Outcome::kOverLimits) return std::optional<ElfFile>{};
    if (!unpacked.done()) return bad_payload(context, kernel, "can't be unpacked");
    TRY_ASSIGN(ElfFile elf, parse_payload(room.first(unpacked.size), kernel));
    return std::optional(std::move(elf));
}

uint64_t alignment_of(const PackedKernel& kernel) {
    return std::max<uint64_t>(kernel.file.header.kernel_alignment, kLeastKernelAlignment);
}

bool is_movable(const ElfFile& elf, const PackedKernel& kernel, uint64_t alignment) {
    return kernel.file.header.relocatable_kernel != 0 && elf.lowest() % alignment == 0;
}

ImageNeeds needs_of(const LoadContext& context, const ElfFile& elf, const PackedKernel& kernel) {
    ImageNeeds needs = needs_of_elf(elf, kernel.name);
    needs.alignment = alignment_of(kernel);
    needs.before = elf.segments.front().offset;
    const uint64_t payload = kernel.file.unpacked_size - needs.before;
    if (payload > needs.image_size) {
        needs.after = payload;
        needs.size = {context.image.name(), "the payload's unpacked size",
                      kernel.file.payload_at + kernel.file.payload.size() - kSizeSuffix};
    }
    needs.movable = is_movable(elf, kernel, needs.alignment);
    return needs;
}

// All of it; what the codec left out.
Result<std::vector<ByteRange>> unpack_whole(const LoadContext& context, const PackedKernel& kernel,
                                            std::span<std::byte> room) {
    Unpacked unpacked =
        kernel.codec.unpack(kernel.packed, room.first(kernel.file.unpacked_size), Codec::Extent::kWhole);
    if (unpacked.outcome == Unpacked::Outcome::kOverLimits) {
        return host_error(fmt::format("{}: there isn't enough memory to unpack its {} payload",
                                      context.image.name(), kernel.codec.name()),
                          "free memory on the host, or raise the limit (ulimit -v)");
    }
    if (!unpacked.done()) {
        return bad_payload(
            context, kernel,
            fmt::format("can't be unpacked to the {} bytes that it announces", kernel.file.unpacked_size));
    }
    if (unpacked.size == kernel.file.unpacked_size) return std::move(unpacked.skipped);
    return bad_payload(
        context, kernel,
        fmt::format("unpacks to {} bytes and announces {}", unpacked.size, kernel.file.unpacked_size));
}

// What follows the ELF file in the payload, if that may be a relocation table; copied away only where the
// image will be.
std::span<const std::byte> save_table(const ElfFile& elf, std::span<const std::byte> payload,
                                      std::vector<std::byte>& copy) {
    if (elf.end >= payload.size()) return {};
    const auto table = payload.subspan(elf.end);
    if (!RelocationTable::is_likely(table)) return {};
    if (elf.segments.front().offset + elf.image_size() <= elf.end) return table;
    copy.assign(table.begin(), table.end());
    return copy;
}

// A field of the setup header, in the file.
FileField header_field(const LoadContext& context, const char* name, size_t offset) {
    return {context.image.name(), name, kSetupHeaderAt + offset};
}

InitrdLimit initrd_limit(const LoadContext& context, const setup_header& header) {
    return {Gpa{uint64_t{header.initrd_addr_max} + 1},
            fmt::format("initrd_addr_max at offset {:#x} of {}",
                        kSetupHeaderAt + offsetof(setup_header, initrd_addr_max), context.image.name())};
}

// The room below the image has been touched already: an initrd that fits there costs no page of its own. It
// is read last.
void reuse_room(LoadContext& context, const PackedKernel& kernel, const ImageNeeds& needs, Gpa base) {
    if (!context.initrd || context.initrd->size > needs.before) return;
    const Gpa place = align_down(Gpa{raw(base) - context.initrd->size}, kPageSize);
    const bool in_room = place >= Gpa{raw(base) - needs.before};
    const bool allowed = base <= initrd_limit(context, kernel.file.header).end;
    if (in_room && allowed) context.initrd->base = place;
}

// Gives back what the initrd doesn't use of the room around the image, and the image's stored zeros.
void trim(LoadContext& context, const ImageNeeds& needs, Gpa base, const std::vector<ImageRange>& zeros) {
    const Gpa room{raw(base) - needs.before};
    const bool initrd_below = context.initrd && context.initrd->base >= room && context.initrd->base < base;
    context.memory.discard(room, (initrd_below ? context.initrd->base : base) - room);
    context.memory.discard(base + needs.image_size, needs.after - needs.image_size);
    for (const ImageRange& range : zeros) context.memory.discard(base + range.offset, range.size);
}

Result<void> unpack_into_place(LoadContext& context, const PackedKernel& kernel, const ElfFile& elf,
                               const ImageNeeds& needs, Gpa base) {
    auto window = context.memory.window(Gpa{raw(base) - needs.before}, needs.before + needs.after);
    if (!window) return context.memory.short_error();  // claimed before, so it is RAM
    const auto room = window->bytes();
    TRY_ASSIGN(const auto skipped, unpack_whole(context, kernel, room));
    const auto payload = room.first(kernel.file.unpacked_size);
    std::vector<std::byte> copy;
    const auto table = save_table(elf, payload, copy);
    const auto zeros = find_stored_zeros(elf, payload, skipped);
    if (!place_unpacked(elf, {room, payload.size(), skipped})) {
        return bad_payload(context, kernel, "has its segments in another order than memory");
    }
    randomise_virtual_base(
        context, {elf, room.subspan(needs.before, needs.image_size), table, needs.alignment, needs.movable});
    window->complete(room.size());
    reuse_room(context, kernel, needs, base);
    trim(context, needs, base, zeros);
    return {};
}

// For further guests: unpacked into memory of our own.
Result<PayloadCache::Payload> unpack_for_cache(const LoadContext& context, const PackedKernel& kernel) {
    TRY_ASSIGN(Mapping mapping, Mapping::map(kernel.file.unpacked_size, PROT_READ | PROT_WRITE,
                                             MAP_PRIVATE | MAP_ANONYMOUS, -1, 0, kernel.name.c_str()));
    TRY(unpack_whole(context, kernel, mapping.bytes()));
    TRY(context.image.check_whole());
    auto payload = std::make_shared<const Mapping>(std::move(mapping));
    context.request.payload_cache->insert(*context.image.identity(), payload);
    return payload;
}

Result<void> load_cached(LoadContext& context, const PackedKernel& kernel, std::span<const std::byte> bytes) {
    TRY_ASSIGN(const ElfFile elf, parse_payload(bytes, kernel));
    const uint64_t alignment = alignment_of(kernel);
    const auto tail = elf.end < bytes.size() ? bytes.subspan(elf.end) : std::span<const std::byte>{};
    return load_linux64(context,
                        {elf, kernel.name, bytes, tail, alignment, is_movable(elf, kernel, alignment),
                         initrd_limit(context, kernel.file.header), kernel.file.header});
}

Result<void> load_in_place(LoadContext& context, const PackedKernel& kernel, const ElfFile& elf) {
    const ImageNeeds needs = needs_of(context, elf, kernel);
    const bool random = needs.movable && may_choose_physical_base(context);
    const InitrdLimit limit = initrd_limit(context, kernel.file.header);
    TRY_ASSIGN(const Gpa base, place_kernel(context, needs, limit, random));
    TRY(unpack_into_place(context, kernel, elf, needs, base));
    context.result.image_base = base;
    context.result.image_size = needs.image_size;
    return enter_linux64(context, kernel.file.header, raw(base) + (elf.entry - elf.lowest()),
                         no_kaslr_reason(context).empty());
}

// The code with its payload goes to any aligned place with init_size bytes of room; it moves itself from
// there.
Result<void> load_packed(LoadContext& context, const BzImageFile& file) {
    ImageNeeds needs;
    needs.preferred = Gpa{file.header.pref_address};
    needs.alignment = file.header.kernel_alignment;
    needs.image_size = needs.after = std::max<uint64_t>(file.header.init_size, file.code.size());
    needs.movable = file.header.relocatable_kernel != 0;
    needs.address = header_field(context, "pref_address", offsetof(setup_header, pref_address));
    needs.size = header_field(context, "init_size", offsetof(setup_header, init_size));
    TRY_ASSIGN(const Gpa base, place_kernel(context, needs, initrd_limit(context, file.header), false));
    if (!context.memory.write_bytes(base, file.code)) return context.memory.short_error();
    context.result.image_base = base;
    context.result.image_size = needs.image_size;
    context.result.notes.emplace_back(
        "the payload is packed in a way that carrel can't unpack: the guest does it, slower");
    setup_header header = file.header;
    header.code32_start = static_cast<uint32_t>(raw(base));
    return enter_linux64(context, header, raw(base) + kEntry64, no_kaslr_reason(context).empty());
}

// From the cache, straight into place, or left to the guest.
Result<void> load_payload(LoadContext& context, const PackedKernel& kernel) {
    PayloadCache* const cache = context.request.payload_cache;
    const auto identity = context.image.identity();
    const bool cached = cache != nullptr && identity.has_value();
    auto payload = cached ? cache->find(*identity) : nullptr;
    if (payload != nullptr) return load_cached(context, kernel, payload->bytes());
    TRY_ASSIGN(const auto elf, peek(context, kernel));
    if (!elf) return load_packed(context, kernel.file);
    if (!cached) return load_in_place(context, kernel, *elf);
    TRY_ASSIGN(payload, unpack_for_cache(context, kernel));
    return load_cached(context, kernel, payload->bytes());
}

class BzImageLoader final : public BootLoader {
  public:
    bool recognises(const KernelImage& image) const override { return is_bzimage(image.bytes()); }

    Result<BootResult> load(const KernelImage& image, const BootRequest& request,
                            GuestMemory& memory) const override {
        TRY_ASSIGN(const BzImageFile file, parse_bzimage(image));
        LoadContext context(image, request, memory);
        const Codec* const codec = find_codec(file.payload);
        context.result.format =
            fmt::format("bzImage ({}), Linux {}", codec != nullptr ? codec->name() : "packed", file.release);
        if (codec == nullptr) {
            TRY(load_packed(context, file));
            return std::move(context.result);
        }
        const size_t suffix = codec->size_is_appended() ? kSizeSuffix : 0;
        const PackedKernel kernel{file, *codec, file.payload.first(file.payload.size() - suffix),
                                  image.name() + ", unpacked payload"};
        TRY(load_payload(context, kernel));
        return std::move(context.result);
    }
};

}  // namespace

const BootLoader& bzimage_loader() {
    static const BzImageLoader kLoader;
    return kLoader;
}

}  // namespace carrel::boot
