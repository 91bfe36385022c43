// bzImage by the 64-bit entry. The payload is unpacked here, straight to where it will run; where carrel has
// no library for its packing, the guest's own decompressor runs in its place.
#include <fmt/core.h>

#include <algorithm>
#include <array>
#include <vector>

#include "boot/bad_file.h"
#include "boot/bzimage_file.h"
#include "boot/cmdline.h"
#include "boot/codec.h"
#include "boot/image_placement.h"
#include "boot/image_trim.h"
#include "boot/kaslr.h"
#include "boot/linux_entry_x86.h"
#include "boot/linux_image.h"
#include "boot/loaders.h"
#include "boot/payload_cache.h"

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

// Headers first, so that everything is checked and placed before guest memory is touched.
Result<ElfFile> peek(const LoadContext& context, const PackedKernel& kernel) {
    std::array<std::byte, kHeadSize> head{};
    const auto room = std::span(head).first(std::min<size_t>(head.size(), kernel.file.unpacked_size));
    const auto size = kernel.codec.unpack(kernel.packed, room, Codec::Extent::kPrefix);
    if (!size) return bad_payload(context, kernel, "can't be unpacked");
    return parse_payload(room.first(*size), kernel);
}

uint64_t alignment_of(const PackedKernel& kernel) {
    return std::max<uint64_t>(kernel.file.header.kernel_alignment, kLeastKernelAlignment);
}

bool is_movable(const ElfFile& elf, const PackedKernel& kernel, uint64_t alignment) {
    return kernel.file.header.relocatable_kernel != 0 && elf.lowest() % alignment == 0;
}

ImageNeeds needs_of(const ElfFile& elf, const PackedKernel& kernel) {
    ImageNeeds needs;
    needs.preferred = Gpa{elf.lowest()};
    needs.alignment = alignment_of(kernel);
    needs.before = elf.segments.front().offset;
    needs.image_size = elf.image_size();
    needs.after = std::max(needs.image_size, kernel.file.unpacked_size - needs.before);
    needs.movable = is_movable(elf, kernel, needs.alignment);
    return needs;
}

Result<void> unpack_whole(const LoadContext& context, const PackedKernel& kernel, std::span<std::byte> room) {
    const auto size =
        kernel.codec.unpack(kernel.packed, room.first(kernel.file.unpacked_size), Codec::Extent::kWhole);
    if (!size) {
        return bad_payload(
            context, kernel,
            fmt::format("can't be unpacked to the {} bytes that it announces", kernel.file.unpacked_size));
    }
    if (*size == kernel.file.unpacked_size) return {};
    return bad_payload(context, kernel,
                       fmt::format("unpacks to {} bytes and announces {}", *size, kernel.file.unpacked_size));
}

// What follows the ELF file in the payload, copied away only where the image will be.
std::span<const std::byte> save_table(const ElfFile& elf, std::span<const std::byte> payload,
                                      std::vector<std::byte>& copy) {
    if (elf.end >= payload.size()) return {};
    const auto table = payload.subspan(elf.end);
    if (elf.segments.front().offset + elf.image_size() <= elf.end) return table;
    copy.assign(table.begin(), table.end());
    return copy;
}

Gpa initrd_limit(const setup_header& header) {
    return Gpa{uint64_t{header.initrd_addr_max} + 1};
}

// The room below the image has been touched already: an initrd that fits there costs no page of its own. It
// is read last.
void reuse_room(LoadContext& context, const PackedKernel& kernel, const ImageNeeds& needs, Gpa base) {
    if (!context.initrd || context.initrd->size > needs.before) return;
    const Gpa place = align_down(Gpa{raw(base) - context.initrd->size}, kPageSize);
    const bool in_room = place >= Gpa{raw(base) - needs.before};
    if (in_room && base <= initrd_limit(kernel.file.header)) context.initrd->base = place;
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
    CHECK(window.has_value());
    const auto room = window->bytes();
    TRY(unpack_whole(context, kernel, room));
    const auto payload = room.first(kernel.file.unpacked_size);
    std::vector<std::byte> copy;
    const auto table = save_table(elf, payload, copy);
    const auto zeros = find_stored_zeros(elf, payload);
    if (!place_unpacked(elf, {room, payload.size()})) {
        return bad_payload(context, kernel, "has its segments in another order than memory");
    }
    randomise_virtual_base(context,
                           {elf, room.subspan(needs.before, needs.image_size), table, needs.alignment});
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

Result<void> load_cached(LoadContext& context, const PackedKernel& kernel) {
    auto payload = context.request.payload_cache->find(*context.image.identity());
    if (payload == nullptr) {
        TRY(peek(context, kernel));  // before memory is spent on it
        TRY_ASSIGN(payload, unpack_for_cache(context, kernel));
    }
    const std::span<const std::byte> bytes = payload->bytes();
    TRY_ASSIGN(const ElfFile elf, parse_payload(bytes, kernel));
    const uint64_t alignment = alignment_of(kernel);
    const auto tail = elf.end < bytes.size() ? bytes.subspan(elf.end) : std::span<const std::byte>{};
    return load_linux64(context, {elf, bytes, tail, alignment, is_movable(elf, kernel, alignment),
                                  initrd_limit(kernel.file.header), kernel.file.header});
}

Result<void> load_unpacked(LoadContext& context, const PackedKernel& kernel) {
    TRY_ASSIGN(const ElfFile elf, peek(context, kernel));
    const ImageNeeds needs = needs_of(elf, kernel);
    const bool kaslr = no_kaslr_reason(context).empty();
    const bool random = kaslr && fixed_physical_reason(context).empty();
    TRY_ASSIGN(const Gpa base, place_kernel(context, needs, initrd_limit(kernel.file.header), random));
    TRY(unpack_into_place(context, kernel, elf, needs, base));
    context.result.image_base = base;
    context.result.image_size = needs.image_size;
    return enter_linux64(context, kernel.file.header, raw(base) + (elf.entry - elf.lowest()), kaslr);
}

// The code with its payload goes to any aligned place with init_size bytes of room; it moves itself from
// there.
Result<void> load_packed(LoadContext& context, const BzImageFile& file) {
    ImageNeeds needs;
    needs.preferred = Gpa{file.header.pref_address};
    needs.alignment = file.header.kernel_alignment;
    needs.image_size = needs.after = std::max<uint64_t>(file.header.init_size, file.code.size());
    needs.movable = file.header.relocatable_kernel != 0;
    TRY_ASSIGN(const Gpa base, place_kernel(context, needs, initrd_limit(file.header), false));
    CHECK(context.memory.write_bytes(base, file.code));
    context.result.image_base = base;
    context.result.image_size = needs.image_size;
    context.result.notes.emplace_back(
        "the payload is packed in a way that carrel can't unpack: the guest does it, slower");
    setup_header header = file.header;
    header.code32_start = static_cast<uint32_t>(raw(base));
    return enter_linux64(context, header, raw(base) + kEntry64, no_kaslr_reason(context).empty());
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
        const bool cached = request.payload_cache != nullptr && image.identity().has_value();
        TRY(cached ? load_cached(context, kernel) : load_unpacked(context, kernel));
        return std::move(context.result);
    }
};

}  // namespace

const BootLoader& bzimage_loader() {
    static const BzImageLoader kLoader;
    return kLoader;
}

}  // namespace carrel::boot
