// Where images and initrds go, and what is said where they can't.
#include <fcntl.h>
#include <fmt/core.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstdio>

#include "boot/codec.h"
#include "boot/zero_bytes.h"
#include "tests/boot/checks.h"
#include "vmm/base/mapping.h"

using namespace carrel;
using namespace carrel::boot;
using namespace carrel::boot::testing;

namespace {

constexpr const char* kNoHelp = "more --memory doesn't help";

// RAM above the hole too, with no need for a host that has 4 GiB.
std::unique_ptr<GuestMemory> memory_with_high_ram() {
    const RamMap map{{RamRange{Gpa{0}, 256 * kMiB}, RamRange{address_map::kHoleEnd, 256 * kMiB}}};
    auto memory = GuestMemory::create(map, MemoryBacking::kAnonymous);
    REQUIRE(memory.ok());
    return std::move(memory).value();
}

// An ELF kernel at `paddr`, with a relocation table or without.
Bytes elf_at(uint64_t paddr, uint64_t mem_size = 0x100, bool movable = false) {
    ElfSpec spec;
    spec.segments = {{paddr, 0x100, mem_size}};
    spec.entry = paddr;
    const auto link = static_cast<uint32_t>(kLinkBase);
    if (movable) spec.tail = {0, link + 0x40, 0, link};
    Bytes elf = make_elf(spec);
    Elf64_Phdr header = elf_header(elf, 0);
    header.p_vaddr = kLinkBase;
    set_elf_header(elf, 0, header);
    return elf;
}

template <class Change>
Bytes packed_bzimage(Change change) {
    Bytes file = make_bzimage(make_elf({}), Packing::kUnknown);
    auto header = get<setup_header>(file, offsetof(boot_params, hdr));
    change(header);
    put(file, offsetof(boot_params, hdr), header);
    return file;
}

}  // namespace

TEST_CASE(
    "places: a kernel that can't move and is linked above 3 GiB is refused, with or without RAM there") {
    for (const uint64_t paddr : {3 * kGiB, 4 * kGiB, kLinkBase}) {
        const std::string expected = fmt::format(
            "kernel, offset 0x58: is linked at {:#x} (p_paddr), above the 3 GiB where carrel loads kernels",
            paddr);
        for (const Bytes& file : {elf_at(paddr)}) {
            const auto memory = memory_with_high_ram();
            const auto result = load(file, {}, *memory);
            REQUIRE_FALSE(result.ok());
            CHECK(result.error().fault == Fault::kUsage);
            CHECK(contains(result.error().sentence(), expected));
            CHECK(contains(result.error().sentence(), kNoHelp));
        }
    }
    const auto fixed = packed_bzimage([](setup_header& h) {
        h.relocatable_kernel = 0;
        h.pref_address = 4 * kGiB;
    });
    const auto memory = memory_with_high_ram();
    const auto result = load(fixed, {}, *memory);
    REQUIRE_FALSE(result.ok());
    CHECK(contains(result.error().sentence(), "offset 0x258: is linked at 0x100000000 (pref_address)"));
}

TEST_CASE("places: a kernel that can move goes below 3 GiB, wherever it is linked") {
    const auto pref_address = [](uint64_t address) {
        return packed_bzimage([&](setup_header& h) { h.pref_address = address; });
    };
    for (const Bytes& file :
         {elf_at(4 * kGiB, 0x100, true), make_bzimage(elf_at(4 * kGiB), Packing::kLz4),
          pref_address(4 * kGiB), pref_address(~uint64_t{0} - 0x1fffff), elf_at(kLinkBase, 0x100, true)}) {
        const auto memory = memory_with_high_ram();
        const auto result = load(file, {}, *memory);
        REQUIRE(result.ok());
        CHECK(raw(result->image_base) >= 16 * kMiB);
        CHECK(raw(result->image_base) + result->image_size <= 256 * kMiB);
    }
}

TEST_CASE("places: a size that no machine has room for is told with its field, not as a lack of memory") {
    const std::string fixed = refusal(elf_at(kPhysicalBase, 0xf000'0000));
    CHECK(contains(fixed, "offset 0x68: takes 0xf0000000 bytes of memory (p_memsz) from 0x1000000 on"));
    CHECK(contains(fixed, kNoHelp));
    const std::string movable = refusal(make_bzimage(elf_at(kPhysicalBase, 0xf000'0000), Packing::kLz4));
    CHECK(contains(movable, "unpacked payload, offset 0x68: needs 3841 MiB of memory in one piece"));
    CHECK(contains(movable, kNoHelp));
    const std::string packed = refusal(packed_bzimage([](setup_header& h) { h.init_size = 0xffffffff; }));
    CHECK(contains(packed, "kernel, offset 0x260: needs 4096 MiB"));
    CHECK(contains(packed, "(init_size)"));
    CHECK(contains(packed, kNoHelp));
    Bytes lie = make_bzimage(make_elf({}), Packing::kLz4);
    put(lie, lie.size() - 4, uint32_t{0xfffffff0});
    CHECK(contains(refusal(lie), fmt::format("offset {:#x}: needs", lie.size() - 4)));
    CHECK(contains(refusal(lie), "the payload's unpacked size"));
}

TEST_CASE("places: where more memory helps, it is said how much") {
    CHECK(contains(refusal(elf_at(0x1000'0000, kMiB)), "give at least --memory 273M"));
    const auto aligned = packed_bzimage([](setup_header& h) {
        h.kernel_alignment = 1u << 31;
        h.pref_address = 0;
    });
    CHECK(contains(refusal(aligned), "from 2048 MiB on"));
    CHECK(contains(refusal(aligned), "give at least --memory 2066M"));
}

TEST_CASE("places: segments at virtual addresses and in reserved memory are told as what they are") {
    ElfSpec spec;
    spec.segments = {{0x100000, 0x100, 0x100}, {kLinkBase, 0x100, 0x100}};
    const std::string higher_half = refusal(make_elf(spec));
    CHECK(contains(higher_half, "offset 0x90: the image spans"));
    CHECK(contains(higher_half, "AT()"));
    CHECK(contains(higher_half, kNoHelp));
    const std::string reserved = refusal(elf_at(0xf0000));
    CHECK(
        contains(reserved, "offset 0x58: the image needs 0x100 bytes at 0xf0000, where a reserved range is"));
    CHECK(contains(reserved, "link it for other physical addresses (p_paddr)"));
}

TEST_CASE("places: an initrd that the kernel can never take is told so, with the field that says it") {
    const InputFile initrd = make_file(Bytes(2 * kMiB), "initrd.img");
    BootRequest request;
    request.initrd = &initrd;
    const auto with_limit = [](uint32_t limit) {
        return packed_bzimage([&](setup_header& h) { h.initrd_addr_max = limit; });
    };
    const std::string never = refusal(with_limit(0x1fffff), request);
    CHECK(contains(never, "the initrd initrd.img (2048 KiB) doesn't fit into guest memory below 0x200000"));
    CHECK(contains(never, "initrd_addr_max at offset 0x22c of kernel"));
    CHECK(contains(never, kNoHelp));
    const InputFile huge = make_file({}, "initrd.img");
    REQUIRE(::ftruncate(huge.fd.get(), static_cast<off_t>(3 * kGiB)) == 0);
    request.initrd = &huge;
    CHECK(contains(refusal(with_limit(0xffffffff), request), "where carrel's room for it ends"));
    CHECK(contains(refusal(elf_at(kPhysicalBase), request), "Linux's own limit"));
    REQUIRE(::ftruncate(huge.fd.get(), static_cast<off_t>(100 * kMiB)) == 0);
    CHECK(contains(refusal(elf_at(kPhysicalBase), request), "give more --memory or a smaller initrd"));
}

TEST_CASE("zeros at an end: only what is said to be zero isn't looked at") {
    Bytes bytes(5 * kPageSize, std::byte{0});
    bytes[100] = std::byte{1};
    bytes[3 * kPageSize + 5] = std::byte{1};  // not looked at where it is "known" to be zero
    const auto left = [&](ByteRange range, std::vector<ByteRange> known) {
        return without_zero_tail(bytes, range, known);
    };
    constexpr uint64_t kEnd = 5 * kPageSize;
    CHECK(left({0, kEnd}, {}) == 4 * kPageSize);
    CHECK(left({0, kEnd}, {{3 * kPageSize, kEnd}}) == kPageSize);
    CHECK(left({0, kEnd}, {{3 * kPageSize + 6, kEnd}}) == 3 * kPageSize + 6);
    CHECK(left({0, kEnd}, {{3 * kPageSize + 5, 3 * kPageSize + 6}}) == kPageSize);
    CHECK(left({0, kEnd}, {{0, kEnd}}) == 0);
    CHECK(left({kPageSize, kEnd}, {{0, 2 * kPageSize}, {3 * kPageSize, 4 * kPageSize}}) == 0);
    CHECK(left({100, 101}, {{0, 100}, {101, kEnd}}) == 1);
    CHECK(left({200, 200}, {}) == 0);
}

TEST_CASE("zeros at an end: bytes that aren't resident are bytes, as those of swapped memory") {
    const std::unique_ptr<FILE, int (*)(FILE*)> file(std::tmpfile(), &std::fclose);
    REQUIRE(file);
    const int fd = ::fileno(file.get());
    const Bytes written(2 * kHugePageSize, std::byte{0x5a});
    REQUIRE(::write(fd, written.data(), written.size()) == static_cast<ssize_t>(written.size()));
    REQUIRE(::fsync(fd) == 0);
    ::posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
    auto mapping = Mapping::map(written.size(), PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0, "a test's file");
    REQUIRE(mapping.ok());
    CHECK(without_zero_tail(mapping->bytes(), {0, written.size()}, {}) == written.size());
}

TEST_CASE("lz4 says which zeros it left out, and wrote everything else") {
    Bytes payload(40 * kMiB);
    payload[0] = payload[17 * kMiB] = payload.back() = std::byte{0x77};
    const Bytes packed = pack(payload, Packing::kLz4);
    const auto stream = std::span(packed).first(packed.size() - 4);
    Bytes target(payload.size());
    const Unpacked unpacked = find_codec(stream)->unpack(stream, target, Codec::Extent::kWhole);
    REQUIRE(unpacked.done());
    CHECK(unpacked.size == payload.size());
    CHECK(target == payload);
    REQUIRE(unpacked.skipped.size() == 2);  // of five blocks the second, and the fourth
    CHECK((unpacked.skipped[0].begin == 8 * kMiB && unpacked.skipped[0].end == 16 * kMiB));
    CHECK((unpacked.skipped[1].begin == 24 * kMiB && unpacked.skipped[1].end == 32 * kMiB));
}
