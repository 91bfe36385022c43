#include "boot/bzimage_file.h"

#include <lzma.h>

#include "tests/boot/checks.h"

using namespace carrel;
using namespace carrel::boot;
using namespace carrel::boot::testing;

namespace {

// A kernel whose second and third segments need a move, like those of 6.1: down, and up.
ElfSpec moving_spec() {
    ElfSpec spec;
    spec.segments = {
        {0x1000000, 0x3000, 0x3000}, {0x1003000, 0x2000, 0x9000, 0x1800}, {0x1400000, 0x1000, 0x200000}};
    return spec;
}

// The same xz stream with another size of dictionary in its block header (xz-file-format.txt, 3.1 and 5.3.1).
Bytes with_dictionary(Bytes stream, uint8_t size) {
    constexpr size_t kHeaderAt = 12;
    const size_t header_size = (get<uint8_t>(stream, kHeaderAt) + 1u) * 4;
    for (size_t at = kHeaderAt + 2; at < kHeaderAt + header_size - 4; ++at) {
        if (get<uint16_t>(stream, at) == 0x0121) put(stream, at + 2, size);  // LZMA2, one byte of properties
    }
    const auto* const header = reinterpret_cast<const uint8_t*>(stream.data() + kHeaderAt);
    put(stream, kHeaderAt + header_size - 4, lzma_crc32(header, header_size - 4, 0));
    return stream;
}

template <class Change>
Bytes changed(Change change) {
    Bytes file = make_bzimage(make_elf({}), Packing::kLz4);
    auto header = get<setup_header>(file, offsetof(boot_params, hdr));
    change(header);
    put(file, offsetof(boot_params, hdr), header);
    return file;
}

}  // namespace

TEST_CASE("bzImage: every packing gives the same image, segments moved and gaps of memory zeroed") {
    for (const Packing packing : known_packings()) {
        const auto memory = make_memory(64 * kMiB);
        const auto result = load(make_bzimage(make_elf(moving_spec()), packing), {}, *memory);
        INFO(static_cast<int>(packing));
        REQUIRE(result.ok());
        CHECK(result->image_base == Gpa{0x1000000});
        CHECK(result->cpu.rip == 0x1000000);
        CHECK(all_bytes(*memory, 0x1000000, 0x3000, 0x11));
        CHECK(all_bytes(*memory, 0x1003000, 0x2000, 0x22));
        CHECK(all_bytes(*memory, 0x1005000, 0x7000, 0));
        CHECK(all_bytes(*memory, 0x1400000, 0x1000, 0x33));
        CHECK(all_bytes(*memory, 0x1401000, 0x200000 - 0x1000, 0));
    }
}

TEST_CASE("bzImage: a packing without a library is left to the guest's own decompressor") {
    const Bytes file = make_bzimage(make_elf({}), Packing::kUnknown);
    const auto memory = make_memory(64 * kMiB);
    const auto result = load(file, {}, *memory);
    REQUIRE(result.ok());
    CHECK(result->cpu.rip == 0x1000200);
    REQUIRE(result->notes.size() == 1);
    const auto code = memory->slice(Gpa{0x1000000}, file.size() - kSetupSize);
    REQUIRE(code);
    CHECK(std::equal(code->begin(), code->end(), file.begin() + kSetupSize));
}

TEST_CASE("bzImage: zstd windows of every size are unpacked") {
    const Bytes elf = make_elf({});
    for (const unsigned window_log : {20u, 27u, 28u, 31u}) {
        INFO(window_log);
        const auto memory = make_memory(64 * kMiB);
        const auto result = load(make_bzimage_of(make_zstd_frame(elf, window_log), elf.size()), {}, *memory);
        REQUIRE(result.ok());
        CHECK(result->cpu.rip == kPhysicalBase);
        CHECK(all_bytes(*memory, kPhysicalBase, 0x100, 0x11));
    }
}

TEST_CASE("bzImage: what takes more memory to unpack than carrel gives is left to the guest") {
    const Bytes elf = make_elf({});
    Bytes xz = pack(elf, Packing::kXz);
    xz.resize(xz.size() - 4);
    for (const auto& [dictionary, packed] : {std::pair{30, false}, {32, true}, {40, true}}) {
        INFO(dictionary);  // 128 MiB, 256 MiB, 4 GiB
        const Bytes file = make_bzimage_of(with_dictionary(xz, static_cast<uint8_t>(dictionary)), elf.size());
        const auto memory = make_memory(64 * kMiB);
        const auto result = load(file, {}, *memory);
        REQUIRE(result.ok());
        CHECK(result->cpu.rip == kPhysicalBase + (packed ? 0x200 : 0));
        CHECK(contains(result->notes.at(0), packed ? "the guest does it" : "KASLR"));
    }
    const Bytes file = make_bzimage_of(make_zstd_frame(elf, 33), elf.size());  // more than libzstd knows
    const auto memory = make_memory(64 * kMiB);
    CHECK(load(file, {}, *memory)->cpu.rip == kPhysicalBase + 0x200);
}

TEST_CASE(
    "bzImage: empty lists behind the kernel are no relocation table, and no base is told that isn't true") {
    ElfSpec spec;
    spec.tail = {0, 0, 0};
    const Bytes seed(64, std::byte{0x41});
    BootRequest request;
    request.entropy = seed;
    const auto memory = make_memory(256 * kMiB);
    const auto result = load(make_bzimage(make_elf(spec), Packing::kLz4), request, *memory);
    REQUIRE(result.ok());
    CHECK(result->virtual_base == kLinkBase);
    REQUIRE(result->notes.size() == 1);
    CHECK(contains(result->notes[0], "virtual base is fixed"));
}

TEST_CASE("bzImage: setup header and zero page follow the protocol") {
    const auto memory = make_memory(64 * kMiB);
    const InputFile initrd = make_file(Bytes(12345, std::byte{0x77}), "initrd");
    const Bytes seed(64, std::byte{0x41});
    BootRequest request;
    request.cmdline = "quiet";
    request.initrd = &initrd;
    request.entropy = seed;
    const auto result = load(make_bzimage(make_elf({}), Packing::kLz4), request, *memory);
    REQUIRE(result.ok());
    const auto params = memory->read<boot_params>(Gpa{result->cpu.rsi});
    REQUIRE(params);
    CHECK(value(params->hdr.header) == 0x53726448);
    CHECK(value(params->hdr.version) == 0x020f);
    CHECK(value(params->sentinel) == 0);
    CHECK(value(params->hdr.type_of_loader) == 0xff);
    CHECK(value(params->hdr.ramdisk_size) == 12345);
    CHECK(value(params->hdr.ramdisk_image) % kPageSize == 0);
    CHECK(all_bytes(*memory, value(params->hdr.ramdisk_image), 12345, 0x77));
    const uint64_t initrd_end = params->hdr.ramdisk_image + uint64_t{12345};
    CHECK((initrd_end <= raw(result->image_base) ||
           params->hdr.ramdisk_image >= raw(result->image_base) + 0x100));
    REQUIRE(params->e820_entries == 3);
    CHECK((params->e820_table[0].addr == 0 && params->e820_table[0].size == 0x9fc00));
    CHECK((params->e820_table[1].addr == 0x9fc00 && params->e820_table[1].type == 2));
    CHECK(params->e820_table[2].addr + params->e820_table[2].size == 64 * kMiB);
}

TEST_CASE("bzImage: an initrd stays below initrd_addr_max, and one that doesn't fit is told") {
    const InputFile initrd = make_file(Bytes(3 * kMiB), "initrd.img");
    BootRequest request;
    request.initrd = &initrd;
    const auto low = changed([](setup_header& h) { h.initrd_addr_max = 0x1ffffff; });
    const auto memory = make_memory(256 * kMiB);
    const auto result = load(low, request, *memory);
    REQUIRE(result.ok());
    const auto params = memory->read<boot_params>(Gpa{result->cpu.rsi});
    CHECK(params->hdr.ramdisk_image + uint64_t{params->hdr.ramdisk_size} <= 0x2000000);
    const auto lower = changed([](setup_header& h) { h.initrd_addr_max = 0x2fffff; });
    CHECK(contains(refusal(lower, request), "initrd.img"));
    const InputFile huge = make_file(Bytes(20 * kMiB), "initrd.img");
    request.initrd = &huge;
    CHECK(contains(refusal(make_bzimage(make_elf({}), Packing::kLz4), request, 16 * kMiB), "doesn't fit"));
}

TEST_CASE("bzImage: physical bases keep off initrd and reserved ranges, and stay put under mem=") {
    const Bytes file = make_bzimage(make_elf({}), Packing::kLz4);
    const InputFile initrd = make_file(Bytes(3 * kMiB, std::byte{0x77}), "initrd.img");
    const RamRange reserved[] = {{Gpa{0x3000000}, 0x800000}};
    for (int i = 0; i < 64; ++i) {
        const Bytes seed(64, static_cast<std::byte>(i * 37 + 1));
        BootRequest request;
        request.initrd = &initrd;
        request.entropy = seed;
        request.reserved = reserved;
        const auto memory = make_memory(128 * kMiB);
        const auto result = load(file, request, *memory);
        REQUIRE(result.ok());
        const uint64_t base = raw(result->image_base);
        CHECK(base % kHugePageSize == 0);
        CHECK(base >= 16 * kMiB);
        CHECK((base + 0x100 <= 0x3000000 || base >= 0x3800000));
        const auto params = memory->read<boot_params>(Gpa{result->cpu.rsi});
        CHECK(all_bytes(*memory, value(params->hdr.ramdisk_image), 3 * kMiB, 0x77));
        CHECK(all_bytes(*memory, base, 0x100, 0x11));
        CHECK(value(params->e820_entries) == 5);
        request.cmdline = "mem=64M";
        const auto fixed_memory = make_memory(128 * kMiB);
        const auto fixed = load(file, request, *fixed_memory);
        CHECK(fixed->image_base == Gpa{kPhysicalBase});
        REQUIRE(fixed->notes.size() == 2);  // and it has no relocation table
        CHECK(contains(fixed->notes[0], "physical base is fixed (no KASLR): the command line limits memory"));
    }
}

TEST_CASE("bzImage: a bad header is refused with its offset") {
    CHECK(contains(refusal(changed([](setup_header& h) { h.version = 0x0204; })), "protocol 2.04"));
    CHECK(contains(refusal(changed([](setup_header& h) { h.xloadflags = 0; })), "32-bit"));
    CHECK(contains(refusal(changed([](setup_header& h) { h.setup_sects = 64; })), "setup code"));
    CHECK(contains(refusal(changed([](setup_header& h) { h.payload_offset = 0x7fffffff; })), "offset 0x248"));
    CHECK(contains(refusal(changed([](setup_header& h) { h.payload_length = 0xffffffff; })),
                   "the file ends at"));
    CHECK(contains(refusal(changed([](setup_header& h) { h.payload_length = 4; })), "4 bytes"));
    CHECK(contains(refusal(changed([](setup_header& h) { h.kernel_alignment = 0x300000; })), "power of two"));
    CHECK(contains(refusal(changed([](setup_header& h) { h.kernel_alignment = 0; })), "power of two"));
    CHECK(contains(refusal(changed([](setup_header& h) { h.pref_address = 0x1000001; })), "pref_address"));
    CHECK(contains(refusal(changed([](setup_header& h) { h.init_size = 0; })), "init_size"));
    BootRequest long_line;
    long_line.cmdline = std::string(3000, 'x');
    CHECK(contains(refusal(changed([](setup_header&) {}), long_line), "at most 2047"));
}

TEST_CASE("bzImage: a kernel that needs more memory says how much to give") {
    ElfSpec big;
    big.segments = {{kPhysicalBase, 0x100, 100 * kMiB}};
    const std::string sentence = refusal(make_bzimage(make_elf(big), Packing::kZstd));
    CHECK(contains(sentence, "needs 101 MiB"));
    CHECK(contains(sentence, "--memory 132M"));
}

TEST_CASE("bzImage: a payload that lies about its length, is cut short or damaged is refused") {
    for (const Packing packing : known_packings()) {
        INFO(static_cast<int>(packing));
        const Bytes good = make_bzimage(make_elf(moving_spec()), packing);
        for (const int difference : {-4096, -1, 1, 4096, 200 << 20}) {
            Bytes lie = good;
            const auto size = get<uint32_t>(lie, lie.size() - 4);
            put(lie, lie.size() - 4, static_cast<uint32_t>(static_cast<int>(size) + difference));
            refusal(lie);
        }
        Bytes cut = good;
        auto header = get<setup_header>(cut, offsetof(boot_params, hdr));
        header.payload_length -= 40;
        put(cut, offsetof(boot_params, hdr), header);
        refusal(cut);
        for (size_t at = kSetupSize + kCodeSize + 6; at < good.size() - 4; at += 11) {
            Bytes damaged = good;
            damaged[at] ^= std::byte{0xa5};
            const auto memory = make_memory(64 * kMiB);
            static_cast<void>(
                load(damaged, {}, *memory));  // without a checksum it may even load: it mustn't crash
        }
    }
}

TEST_CASE("bzImage: a bomb is stopped at the size that it announces") {
    Bytes zeros(48 * kMiB);
    const Bytes elf = make_elf({});
    std::copy(elf.begin(), elf.end(), zeros.begin());
    Bytes bomb = make_bzimage(zeros, Packing::kZstd);
    REQUIRE(bomb.size() < 64 * kKiB);
    put(bomb, bomb.size() - 4, uint32_t{8192});
    const auto memory = make_memory(64 * kMiB);
    CHECK_FALSE(load(bomb, {}, *memory).ok());
    CHECK(touched_pages(*memory) < 16);
}

TEST_CASE("bzImage: lz4 blocks of zeros are not written, and those around them are where they belong") {
    ElfSpec spec;
    spec.segments = {{0x1000000, 0x3000, 0x3000}, {0x1003000, 20 * kMiB, 20 * kMiB}};
    Bytes elf = make_elf(spec);
    std::fill(elf.end() - sizeof(Elf64_Shdr) - 20 * kMiB, elf.end() - sizeof(Elf64_Shdr), std::byte{0});
    *(elf.end() - sizeof(Elf64_Shdr) - 1) = std::byte{0x77};
    const auto memory = make_memory(64 * kMiB);
    const auto result = load(make_bzimage(elf, Packing::kLz4), {}, *memory);
    REQUIRE(result.ok());
    CHECK(touched_pages(*memory) < 13 * kMiB / kPageSize);
    CHECK(all_bytes(*memory, 0x1000000, 0x3000, 0x11));
    CHECK(all_bytes(*memory, 0x1003000, 20 * kMiB - 1, 0));
    CHECK(all_bytes(*memory, 0x1003000 + 20 * kMiB - 1, 1, 0x77));
}

TEST_CASE("bzImage: segments in another order in the file than in memory are refused") {
    ElfSpec spec;
    spec.segments = {{0x1200000, 0x1000, 0x1000}, {0x1000000, 0x1000, 0x1000}};
    spec.entry = 0x1200000;
    CHECK(contains(refusal(make_bzimage(make_elf(spec), Packing::kLz4)), "another order"));
}

TEST_CASE("bzImage: every truncation ends in a sentence") {
    const Bytes whole = make_bzimage(make_elf({}), Packing::kLz4);
    for (size_t size = 0x206; size < whole.size(); ++size) {
        const Bytes cut(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(size));
        CHECK(contains(refusal(cut), "kernel, offset"));
    }
}
