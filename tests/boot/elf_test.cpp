#include "boot/elf_file.h"

#include <asm/bootparam.h>
#include <fmt/core.h>

#include "tests/boot/checks.h"

using namespace carrel;
using namespace carrel::boot;
using namespace carrel::boot::testing;

namespace {

// What the guest finds behind the address in RSI.
boot_params params_of(const BootResult& result, const GuestMemory& memory) {
    const auto params = memory.read<boot_params>(Gpa{result.cpu.rsi});
    REQUIRE(params);
    return *params;
}

std::string string_at(const GuestMemory& memory, uint64_t at) {
    std::string text;
    for (char c = 0; (c = memory.read<char>(Gpa{at + text.size()}).value_or('\0')) != '\0';) text += c;
    return text;
}

}  // namespace

TEST_CASE("ELF: segments lie where they belong, what the file doesn't give is zero and untouched") {
    ElfSpec spec;
    spec.segments = {{0x100000, 0x100, 0x100}, {0x200000, 0x1800, 0x500000, 7}};
    spec.entry = 0x100010;
    const auto memory = make_memory(64 * kMiB);
    const auto result = load(make_elf(spec), {}, *memory);
    REQUIRE(result.ok());
    CHECK(touched_pages(*memory) < 20);
    CHECK(result->image_base == Gpa{0x100000});
    CHECK(result->image_size == 0x600000);
    CHECK(all_bytes(*memory, 0x100000, 0x100, 0x11));
    CHECK(all_bytes(*memory, 0x200000, 0x1800, 0x22));
    CHECK(all_bytes(*memory, 0x201800, 0x500000 - 0x1800, 0));
}

TEST_CASE("64-bit entry: long mode, flat segments, one-to-one page tables, boot_params in RSI") {
    const auto memory = make_memory(64 * kMiB);
    BootRequest request;
    request.cmdline = "hello world";
    request.rsdp = Gpa{0xe0000};
    const Bytes seed(64, std::byte{0x5a});
    request.entropy = seed;
    const auto result = load(make_elf({}), request, *memory);
    REQUIRE(result.ok());
    const CpuState& cpu = result->cpu;
    CHECK(cpu.rip == kPhysicalBase);
    CHECK(cpu.rflags == 2);
    CHECK((cpu.cr0 & (kCr0Pe | kCr0Pg)) == (kCr0Pe | kCr0Pg));
    CHECK((cpu.cr4 & kCr4Pae) != 0);
    CHECK(cpu.efer == (kEferLme | kEferLma));
    CHECK((cpu.cs.selector == 0x10 && cpu.cs.long_mode && !cpu.cs.db));
    for (const SegmentState* data : {&cpu.ds, &cpu.es, &cpu.ss}) {
        CHECK((data->selector == 0x18 && data->base == 0 && data->limit == 0xffffffff));
    }
    CHECK(memory->read<uint64_t>(Gpa{cpu.gdt.base + 0x10}) == 0x00af9b000000ffff);

    // Walks the tables as the CPU does, for an address in each GiB.
    for (const uint64_t address : {uint64_t{0}, kPhysicalBase, kGiB + 0x200000, 0xfee00000ul}) {
        const auto entry = [&](uint64_t table, int shift) {
            return *memory->read<uint64_t>(Gpa{(table & ~0xfffull) + ((address >> shift) & 511) * 8});
        };
        const uint64_t large = entry(entry(entry(cpu.cr3, 39), 30), 21);
        CHECK((large & 0x83) == 0x83);
        CHECK((large & ~0x1fffffull) == (address & ~0x1fffffull));
    }

    const boot_params params = params_of(*result, *memory);
    CHECK(value(params.hdr.type_of_loader) == 0xff);
    CHECK((params.hdr.loadflags & 2) == 2);
    CHECK(value(params.acpi_rsdp_addr) == 0xe0000);
    CHECK(string_at(*memory, value(params.hdr.cmd_line_ptr)) == "hello world");
    const Gpa seed_data{params.hdr.setup_data};
    CHECK(memory->read<uint64_t>(seed_data) == 0);             // next
    CHECK(memory->read<uint32_t>(seed_data + 8) == 9);         // SETUP_RNG_SEED
    CHECK(memory->read<uint32_t>(seed_data + 12) == 64 - 16);  // length
    CHECK(value(params.e820_entries) == 3);
}

TEST_CASE("nokaslr, as a word of its own, clears KASLR_FLAG") {
    const Bytes seed(64, std::byte{0x5a});
    for (const auto& [cmdline, expected] : {std::pair{"a nokaslr b", 0}, {"anokaslr nokaslr=1", 2}}) {
        const auto memory = make_memory(64 * kMiB);
        BootRequest request;
        request.cmdline = cmdline;
        request.entropy = seed;
        const auto result = load(make_elf({}), request, *memory);
        REQUIRE(result.ok());
        CHECK((params_of(*result, *memory).hdr.loadflags & 2) == expected);
    }
}

TEST_CASE("PVH: taken where e_entry is no physical address or is the PVH entry, or when asked for") {
    struct {
        uint64_t entry;
        uint32_t note;
        BootProtocol asked;
        bool pvh;
    } const cases[] = {
        {kPhysicalBase, 0, BootProtocol::kAuto, false},
        {kPhysicalBase, kPhysicalBase + 0x40, BootProtocol::kAuto, false},
        {kPhysicalBase, kPhysicalBase, BootProtocol::kAuto, true},
        {kLinkBase, kPhysicalBase + 0x40, BootProtocol::kAuto, true},
        {kPhysicalBase, kPhysicalBase + 0x40, BootProtocol::kPvh, true},
        {kPhysicalBase, kPhysicalBase, BootProtocol::kLinux64, false},
    };
    for (const auto& it : cases) {
        INFO(std::hex << it.entry << " " << it.note);
        ElfSpec spec;
        spec.entry = it.entry;
        spec.pvh_entry = it.note;
        BootRequest request;
        request.protocol = it.asked;
        const auto memory = make_memory(64 * kMiB);
        const auto result = load(make_elf(spec), request, *memory);
        REQUIRE(result.ok());
        CHECK(((result->cpu.cr0 & kCr0Pg) == 0) == it.pvh);
        CHECK(result->cpu.rip == (it.pvh ? it.note : it.entry));
    }
}

TEST_CASE("PVH: hvm_start_info names command line, initrd, memory map and RSDP") {
    const auto memory = make_memory(64 * kMiB);
    ElfSpec spec;
    spec.entry = kLinkBase;
    spec.pvh_entry = kPhysicalBase + 0x20;
    const InputFile initrd = make_file(Bytes(5000, std::byte{0x77}), "initrd");
    BootRequest request;
    request.cmdline = "pvh";
    request.rsdp = Gpa{0xe1000};
    request.initrd = &initrd;
    const auto result = load(make_elf(spec), request, *memory);
    REQUIRE(result.ok());
    CHECK((result->cpu.cs.db && !result->cpu.cs.long_mode && result->cpu.efer == 0));
    const uint64_t info = result->cpu.rbx;
    const auto word = [&](uint64_t at) { return *memory->read<uint64_t>(Gpa{at}); };
    CHECK(*memory->read<uint32_t>(Gpa{info}) == 0x336ec578);
    CHECK(*memory->read<uint32_t>(Gpa{info + 12}) == 1);  // modules
    const uint64_t module = word(info + 16);
    CHECK(word(module + 8) == 5000);
    CHECK(all_bytes(*memory, word(module), 5000, 0x77));
    CHECK(string_at(*memory, word(info + 24)) == "pvh");
    CHECK(word(info + 32) == 0xe1000);
    CHECK(*memory->read<uint32_t>(Gpa{info + 48}) == 3);
    CHECK(word(word(info + 40) + 8) == 0x9fc00);  // the first range of RAM
}

TEST_CASE("ELF: a file for another machine or of another kind is refused in words") {
    const auto with = [](size_t at, auto value) {
        Bytes elf = make_elf({});
        put(elf, at, value);
        return elf;
    };
    CHECK(contains(refusal(with(offsetof(Elf64_Ehdr, e_machine), uint16_t{EM_AARCH64})),
                   "is a kernel for aarch64"));
    CHECK(contains(refusal(with(EI_CLASS, uint8_t{ELFCLASS32})), "32-bit"));
    CHECK(contains(refusal(with(EI_DATA, uint8_t{ELFDATA2MSB})), "big-endian"));
    CHECK(contains(refusal(with(offsetof(Elf64_Ehdr, e_type), uint16_t{ET_REL})), "object file"));
    CHECK(contains(refusal(with(offsetof(Elf64_Ehdr, e_entry), uint64_t{0})), "entry point"));
}

TEST_CASE("ELF: hostile headers are refused with the offset where they are") {
    const auto with = [](auto change) {
        ElfSpec spec;
        spec.segments = {{0x1000000, 0x100, 0x100}, {0x1200000, 0x100, 0x200}};
        Bytes elf = make_elf(spec);
        Elf64_Phdr header = elf_header(elf, 1);
        change(header);
        set_elf_header(elf, 1, header);
        return elf;
    };
    const std::string at = "offset 0x78";  // the second program header
    const auto past_end = with([](Elf64_Phdr& h) { h.p_filesz = h.p_memsz = 0x10000; });
    CHECK(contains(refusal(past_end), at));
    CHECK(contains(refusal(past_end), "the file ends at"));
    CHECK(contains(refusal(with([](Elf64_Phdr& h) { h.p_offset = ~0ull - 0x40; })), at));
    CHECK(contains(refusal(with([](Elf64_Phdr& h) { h.p_filesz = ~0ull; })), at));
    CHECK(contains(refusal(with([](Elf64_Phdr& h) { h.p_memsz = 0x10; })), at));
    CHECK(contains(refusal(with([](Elf64_Phdr& h) { h.p_paddr = ~0ull - 0x10; })), "wraps"));
    CHECK(contains(refusal(with([](Elf64_Phdr& h) { h.p_paddr = 0x1000080; })), "overlap"));
    const auto large = with([](Elf64_Phdr& h) { h.p_memsz = 8ull << 30; });
    CHECK(contains(refusal(large), "offset 0xa0: a segment takes 0x200000000 bytes of memory (p_memsz)"));
    CHECK(contains(refusal(with([](Elf64_Phdr& h) { h.p_paddr = 0x10000000; })),
                   "give at least --memory 273M"));
    CHECK(contains(refusal(with([](Elf64_Phdr& h) { h.p_paddr = 0x0f0000; })), "a reserved range"));
    Bytes none = make_elf({});
    put(none, offsetof(Elf64_Ehdr, e_phnum), uint16_t{0});
    CHECK(contains(refusal(none), "program headers"));
    Bytes far = make_elf({});
    put(far, offsetof(Elf64_Ehdr, e_phoff), ~uint64_t{0});
    CHECK(contains(refusal(far), "program headers"));
}

TEST_CASE("ELF: every truncation ends in a sentence or loads what is whole") {
    const Bytes whole = make_elf({});
    for (size_t size = 1; size < whole.size(); ++size) {
        const auto memory = make_memory(64 * kMiB);
        const Bytes cut(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(size));
        const auto result = load(cut, {}, *memory);
        INFO(size);
        const bool segments_whole = size >= sizeof(Elf64_Ehdr) + sizeof(Elf64_Phdr) + 0x100;
        CHECK(result.ok() == segments_whole);
    }
}

TEST_CASE("boot structures move out of the way of an image in low memory") {
    ElfSpec spec;
    spec.segments = {{0x1000, 0x9000, 0x9000}};
    spec.entry = 0x1000;
    const auto memory = make_memory(64 * kMiB);
    const auto result = load(make_elf(spec), {}, *memory);
    REQUIRE(result.ok());
    CHECK(result->cpu.rsi >= 0xa000);
    CHECK(all_bytes(*memory, 0x1000, 0x9000, 0x11));
    spec.segments = {{0x1000, 0x9000, 0x9e000}};
    const auto full = load(make_elf(spec), {}, *memory);
    REQUIRE(full.ok());
    CHECK(full->cpu.rsi >= 0x100000);
}

TEST_CASE("what is no kernel at all is called by its name") {
    const auto text = [](std::string_view head) {
        Bytes bytes(2048);
        std::memcpy(bytes.data(), head.data(), head.size());
        return bytes;
    };
    CHECK(contains(refusal(text("070701")), "cpio"));
    CHECK(contains(refusal(text("\x1f\x8b")), "gzip"));
    CHECK(contains(refusal(text("#!/bin/sh")), "script"));
    CHECK(contains(refusal(text("whatever")), "neither a bzImage"));
    Bytes arm(2048);
    std::memcpy(arm.data() + 0x38, "ARM\x64", 4);
    CHECK(contains(refusal(arm), "aarch64"));
    CHECK(contains(refusal(Bytes{std::byte{0x7f}}), "neither a bzImage"));
}

TEST_CASE("PVH: a note whose entry nobody can enter is refused where it stands in the file") {
    ElfSpec spec;
    spec.entry = kLinkBase;
    spec.pvh_entry = 0xdead0000;
    Bytes elf = make_elf(spec);
    const uint64_t value_at = elf_header(elf, 1).p_offset + 16;
    const std::string at = fmt::format("offset {:#x}", value_at);
    CHECK(contains(refusal(elf), at + ": the PVH note's entry 0xdead0000 lies outside the image"));
    put(elf, value_at, uint64_t{0x1000'0000'0000} + kPhysicalBase);
    CHECK(contains(refusal(elf), at + ": the PVH note's entry 0x100001000000 lies above 4 GiB"));
    put(elf, value_at, uint64_t{kPhysicalBase});
    const auto memory = make_memory(64 * kMiB);
    CHECK(load(elf, {}, *memory).ok());
}

TEST_CASE("PVH: a command line that is longer than Linux takes is noted") {
    ElfSpec spec;
    spec.pvh_entry = kPhysicalBase;
    for (const size_t size : {2047u, 2048u}) {
        BootRequest request;
        request.cmdline = std::string(size, 'x');
        const auto memory = make_memory(64 * kMiB);
        const auto result = load(make_elf(spec), request, *memory);
        REQUIRE(result.ok());
        REQUIRE(result->notes.size() == (size > 2047 ? 1 : 0));
        if (size > 2047) CHECK(contains(result->notes[0], "2048 characters: Linux"));
    }
}

TEST_CASE("ELF: a program for Linux is no kernel; an interpreter that is no dynamic linker doesn't matter") {
    const auto with = [](std::string_view path) {
        ElfSpec spec;
        spec.segments = {{kPhysicalBase, 0x100, 0x100}, {kPhysicalBase + 0x1000, path.size(), path.size()}};
        Bytes elf = make_elf(spec);
        Elf64_Phdr header = elf_header(elf, 1);
        header.p_type = PT_INTERP;
        set_elf_header(elf, 1, header);
        std::memcpy(elf.data() + header.p_offset, path.data(), path.size());
        return elf;
    };
    const std::string program = refusal(with("/lib64/ld-linux-x86-64.so.2"));
    CHECK(contains(program, "offset 0x78: is a program for Linux, not a kernel"));
    const auto memory = make_memory(64 * kMiB);
    CHECK(load(with("/red/herring"), {}, *memory).ok());  // FreeBSD's kernel
}

TEST_CASE("zeros behind a vmlinux are no relocation table: it stays where it is linked") {
    for (const size_t words : {1u, 2u, 3u, 4u}) {
        ElfSpec spec;
        spec.tail.assign(words, 0);
        for (int i = 0; i < 8; ++i) {
            const Bytes seed(64, static_cast<std::byte>(i * 37 + 1));
            BootRequest request;
            request.entropy = seed;
            const auto memory = make_memory(256 * kMiB);
            const auto result = load(make_elf(spec), request, *memory);
            REQUIRE(result.ok());
            CHECK(result->image_base == Gpa{kPhysicalBase});
            CHECK(result->virtual_base == kLinkBase);
            REQUIRE(result->notes.size() == 1);
            CHECK(contains(result->notes[0], "stays at the addresses it is linked for"));
        }
    }
}

TEST_CASE("a relocation table behind a vmlinux is used; one that points outside only costs KASLR") {
    ElfSpec spec;
    const auto link = static_cast<uint32_t>(kLinkBase);
    spec.tail = {0, link + 0x40, 0, link + 0x80, 0, link, link + 4};
    const Bytes seed(64, std::byte{0x35});
    BootRequest request;
    request.entropy = seed;
    SECTION("good") {
        const auto memory = make_memory(512 * kMiB);
        const auto result = load(make_elf(spec), request, *memory);
        REQUIRE(result.ok());
        CHECK(result->notes.empty());
        const uint64_t delta = *result->virtual_base - kLinkBase;
        REQUIRE(delta != 0);
        const Gpa base = result->image_base;
        CHECK(base != Gpa{kPhysicalBase});
        CHECK(result->cpu.rip == raw(base));
        CHECK(*memory->read<uint32_t>(base + 0) == uint32_t(0x11111111 + delta));
        CHECK(*memory->read<uint32_t>(base + 0x80) == uint32_t(0x11111111 - delta));
        CHECK(*memory->read<uint64_t>(base + 0x40) == 0x1111111111111111 + delta);
    }
    SECTION("outside") {
        spec.tail.back() = link + 0x100 - 3;
        const auto memory = make_memory(512 * kMiB);
        const auto result = load(make_elf(spec), request, *memory);
        REQUIRE(result.ok());
        REQUIRE(result->notes.size() == 1);
        CHECK(contains(result->notes[0], "outside the image"));
        CHECK(result->virtual_base == kLinkBase);
        CHECK(result->image_base == Gpa{kPhysicalBase});
        CHECK(all_bytes(*memory, raw(result->image_base), 0x100, 0x11));
    }
}
