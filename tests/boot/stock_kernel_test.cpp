// Debian's own kernels, where tools/kernels has put them into the cache.
#include <fcntl.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <set>

#include "boot/elf_file.h"
#include "boot/loader.h"
#include "boot/relocations.h"
#include "tests/boot/files.h"
#include "tests/catch.h"

using namespace carrel;
using namespace carrel::boot;
using namespace carrel::boot::testing;

namespace {

struct Stock {
    const char* suite;
    uint64_t entry;
    bool inverse_list;
};
constexpr Stock kStock[] = {
    {"bookworm", 0x1000000, true}, {"trixie", 0x1000c43, true}, {"sid", 0x39a5f80, false}};

std::filesystem::path cache() {
    if (const char* set = std::getenv("CARREL_CACHE")) return set;
    if (const char* set = std::getenv("XDG_CACHE_HOME")) return std::filesystem::path(set) / "carrel";
    const char* const home = std::getenv("HOME");
    return std::filesystem::path(home != nullptr ? home : "/") / ".cache/carrel";
}

// The file, or nothing after a line that says what is skipped.
std::optional<InputFile> open_stock(const char* suite, const char* file) {
    const auto path = cache() / "kernels" / suite / "current" / file;
    Fd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
    if (fd.valid()) return InputFile{std::move(fd), path.string()};
    std::cout << "SKIP: " << path.string() << " is not in the cache (tools/kernels " << suite
              << " fetches it)\n";
    return std::nullopt;
}

Bytes read_all(const InputFile& file) {
    auto image = KernelImage::open(file);
    REQUIRE(image.ok());
    return {image->bytes().begin(), image->bytes().end()};
}

Bytes entropy(unsigned seed) {
    Bytes bytes(64);
    uint64_t state = seed * 0x9e3779b97f4a7c15u + 1;
    for (auto& byte : bytes) {
        state = state * 6364136223846793005u + 1442695040888963407u;
        byte = static_cast<std::byte>(state >> 56);
    }
    return bytes;
}

BootResult load(const InputFile& file, const BootRequest& request, GuestMemory& memory) {
    auto result = load_kernel(file, request, memory);
    if (!result.ok()) FAIL(result.error().sentence());
    return std::move(result).value();
}

// The image as the ELF file says it, made in the plainest way.
Bytes expected_image(const Bytes& vmlinux, const ElfFile& elf) {
    Bytes image(elf.image_size());
    for (const ElfSegment& segment : elf.segments) {
        std::memcpy(image.data() + (segment.paddr - elf.lowest()), vmlinux.data() + segment.offset,
                    segment.file_size);
    }
    return image;
}

}  // namespace

TEST_CASE("stock kernels: without KASLR the image is what the ELF file says, byte for byte") {
    for (const Stock& stock : kStock) {
        auto vmlinux = open_stock(stock.suite, "vmlinux");
        auto vmlinuz = open_stock(stock.suite, "vmlinuz");
        if (!vmlinux || !vmlinuz) continue;
        INFO(vmlinuz->name);
        const Bytes bytes = read_all(*vmlinux);
        auto elf = parse_elf(bytes, {"vmlinux", bytes.size()});
        REQUIRE(elf.ok());
        CHECK(elf->entry == stock.entry);
        const Bytes image = expected_image(bytes, *elf);
        for (const InputFile* file : {&*vmlinux, &*vmlinuz}) {
            auto memory = make_memory(256 * kMiB);
            BootRequest request;
            request.cmdline = "nokaslr";
            const BootResult result = load(*file, request, *memory);
            CHECK(result.image_base == Gpa{0x1000000});
            CHECK(result.cpu.rip == stock.entry);
            const auto loaded = memory->slice(result.image_base, result.image_size);
            REQUIRE(loaded);
            REQUIRE(loaded->size() == image.size());
            for (const ElfSegment& segment : elf->segments) {
                const uint64_t at = segment.paddr - elf->lowest();
                INFO(std::hex << segment.paddr);
                CHECK(std::memcmp(loaded->data() + at, image.data() + at, segment.mem_size) == 0);
            }
        }
    }
}

TEST_CASE("stock kernels: the relocation table is found, told apart by its zeros, and lies in the image") {
    for (const Stock& stock : kStock) {
        auto vmlinux = open_stock(stock.suite, "vmlinux");
        if (!vmlinux) continue;
        INFO(vmlinux->name);
        const Bytes bytes = read_all(*vmlinux);
        auto elf = parse_elf(bytes, {"vmlinux", bytes.size()});
        REQUIRE(elf.ok());
        const auto table = RelocationTable::parse(std::span(bytes).subspan(elf->end));
        REQUIRE(table);
        CHECK(table->has_inverse_list() == stock.inverse_list);
        CHECK(table->size() > 100'000);
        Bytes image = expected_image(bytes, *elf);
        CHECK(table->fits({elf->segments.front().vaddr, image}));
    }
}

TEST_CASE("stock kernels: 16 loads give at least 8 virtual and 8 physical bases") {
    for (const Stock& stock : kStock) {
        auto vmlinuz = open_stock(stock.suite, "vmlinuz");
        if (!vmlinuz) continue;
        INFO(vmlinuz->name);
        std::set<uint64_t> physical;
        std::set<uint64_t> virtual_bases;
        for (unsigned i = 0; i < 16; ++i) {
            auto memory = make_memory(512 * kMiB);
            const Bytes random = entropy(i);
            BootRequest request;
            request.entropy = random;
            const BootResult result = load(*vmlinuz, request, *memory);
            CHECK(result.notes.empty());
            physical.insert(raw(result.image_base));
            virtual_bases.insert(result.virtual_base.value_or(0));
            CHECK(result.cpu.rip - raw(result.image_base) == stock.entry - 0x1000000);
            CHECK(raw(result.image_base) % kHugePageSize == 0);
            CHECK(result.virtual_base.value_or(1) % kHugePageSize == 0);
        }
        CHECK(physical.size() >= 8);
        CHECK(virtual_bases.size() >= 8);
    }
}
