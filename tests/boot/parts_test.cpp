// The parts that the loaders are made of.
#include <fcntl.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>

#include "boot/cmdline.h"
#include "boot/kaslr.h"
#include "boot/kernel_image.h"
#include "boot/memory_map.h"
#include "boot/payload_cache.h"
#include "boot/range_allocator.h"
#include "boot/relocations.h"
#include "tests/boot/files.h"
#include "tests/catch.h"
#include "vmm/base/crash_registry.h"

using namespace carrel;
using namespace carrel::boot;
using namespace carrel::boot::testing;

TEST_CASE("command line: what a person needs is added, in front, unless they said something about it") {
    CHECK(final_cmdline("", {}) == "console=ttyS0 panic=-1");
    CHECK(final_cmdline("quiet", {}) == "console=ttyS0 panic=-1 quiet");
    CHECK(final_cmdline("console=hvc0 quiet", {}) == "panic=-1 console=hvc0 quiet");
    CHECK(final_cmdline("panic=0", {}) == "console=ttyS0 panic=0");
    CHECK(final_cmdline("console=tty0 panic=5 x", {}) == "console=tty0 panic=5 x");
    CHECK(final_cmdline("noconsole=1 xpanic=2", {}) == "console=ttyS0 panic=-1 noconsole=1 xpanic=2");
    CHECK(final_cmdline("-- sh", {}) == "console=ttyS0 panic=-1 -- sh");  // before what belongs to init
    CHECK(final_cmdline("-- console=x panic=5", {}) == "console=ttyS0 panic=-1 -- console=x panic=5");
}

TEST_CASE("command line: the early console comes behind what a person wrote, unless they chose another one") {
    constexpr Gpa kEarly{0xf000'0000};
    const std::string ours = "earlycon=uart8250,mmio,0xf0000000";
    CHECK(final_cmdline("quiet", kEarly) == "console=ttyS0 panic=-1 quiet " + ours);
    CHECK(final_cmdline("", kEarly) == "console=ttyS0 panic=-1 " + ours);
    CHECK(final_cmdline("console=ttyS0,115200 quiet", kEarly) ==
          "panic=-1 console=ttyS0,115200 quiet " + ours);
    CHECK(final_cmdline("console=hvc0", kEarly) == "panic=-1 console=hvc0");
    CHECK(final_cmdline("earlycon", kEarly) == "console=ttyS0 panic=-1 earlycon");
    CHECK(final_cmdline("quiet -- sh", kEarly) == "console=ttyS0 panic=-1 quiet " + ours + " -- sh");
}

TEST_CASE("command line: virtio-mmio devices are told only to a kernel that leaves ACPI alone") {
    const std::vector<MmioDevice> devices = {
        {Gpa{0xf001'2000}, 0x1000, 7}, {Gpa{0xf002'0000}, 0x1000, 5}, {Gpa{0xf002'6000}, 0x1000, 16}};
    const std::string two = " virtio_mmio.device=0x1000@0xf0012000:7 virtio_mmio.device=0x1000@0xf0020000:5";
    CHECK(announce_mmio("quiet", devices) == "quiet");
    CHECK(announce_mmio("", devices).empty());
    CHECK(announce_mmio("acpi=offx xacpi=off -- acpi=off", devices) == "acpi=offx xacpi=off -- acpi=off");
    CHECK(announce_mmio("acpi=off quiet", devices) == "acpi=off quiet" + two);
    CHECK(announce_mmio("acpi=off -- sh", devices) == "acpi=off" + two + " -- sh");
    CHECK(announce_mmio("acpi=off", {}) == "acpi=off");
}

TEST_CASE("command line: a virtio console in place of the serial port, with an early console in any case") {
    constexpr Gpa kEarly{0xf000'0000};
    const std::string ours = "earlycon=uart8250,mmio,0xf0000000";
    CHECK(final_cmdline("", kEarly, "hvc0") == "console=hvc0 panic=-1 " + ours);
    CHECK(final_cmdline("", {}, "hvc0") == "console=hvc0 panic=-1 earlycon=uart8250,io,0x3f8");
    CHECK(final_cmdline("console=hvc0 quiet", kEarly, "hvc0") == "panic=-1 console=hvc0 quiet " + ours);
    CHECK(final_cmdline("console=ttyS0", kEarly, "hvc0") == "panic=-1 console=ttyS0 " + ours);
    CHECK(final_cmdline("console=tty0", kEarly, "hvc0") == "panic=-1 console=tty0");
    CHECK(final_cmdline("console=ttyS0 console=hvc0", kEarly, "hvc0") ==
          "panic=-1 console=ttyS0 console=hvc0");
    CHECK(final_cmdline("console=tty0 console=ttyS0", kEarly) ==
          "panic=-1 console=tty0 console=ttyS0 " + ours);
    CHECK(final_cmdline("console=ttyS0 console=tty0", kEarly) == "panic=-1 console=ttyS0 console=tty0");
    CHECK(final_cmdline("earlycon", {}, "hvc0") == "console=hvc0 panic=-1 earlycon");
}

TEST_CASE("command line: the last word says whether something is switched off") {
    for (const char* off :
         {"printk.time=0", "quiet printk.time=n", "printk.time=1 printk.time=off", "printk.time=false"}) {
        INFO(off);
        CHECK(is_switched_off(off, "printk.time"));
    }
    for (const char* on : {"", "quiet", "printk.time=1", "printk.time=0 printk.time=Y", "printk.time",
                           "printk.timeout=0", "printk.time=on"}) {
        INFO(on);
        CHECK_FALSE(is_switched_off(on, "printk.time"));
    }
}

TEST_CASE("command line: words are whole, blanks of any kind part them") {
    CHECK(has_word("a nokaslr", "nokaslr"));
    CHECK(has_word("\tnokaslr\n", "nokaslr"));
    CHECK_FALSE(has_word("nokaslr=1 xnokaslr nokaslrx", "nokaslr"));
    CHECK_FALSE(has_word("", "nokaslr"));
    CHECK(has_prefix("a mem=1G", "mem="));
    CHECK_FALSE(has_prefix("a memx=1G", "mem="));
}

TEST_CASE("ranges: nothing is claimed twice, outside RAM, or across its end") {
    RangeAllocator ranges(RamMap::of_size(5 * kGiB));
    CHECK(ranges.claim(Gpa{0x100000}, 0x1000, "a").ok());
    CHECK(ranges.claim(Gpa{0x101000}, 0x1000, "b").ok());  // adjacent is fine
    const auto twice = ranges.claim(Gpa{0x100800}, 0x10, "c");
    REQUIRE_FALSE(twice.ok());
    CHECK(twice.error().what.find("where a is") != std::string::npos);
    CHECK_FALSE(ranges.claim(Gpa{0xff000}, 0x1001, "c").ok());
    CHECK_FALSE(ranges.claim(Gpa{3 * kGiB}, 1, "c").ok());
    CHECK_FALSE(ranges.claim(Gpa{3 * kGiB - 1}, 2, "c").ok());
    CHECK(ranges.claim(Gpa{3 * kGiB - 1}, 1, "c").ok());
    CHECK_FALSE(ranges.claim(Gpa{16}, ~uint64_t{0} - 8, "c").ok());  // wraps
    CHECK_FALSE(ranges.claim(Gpa{6 * kGiB}, 1, "c").ok());
}

TEST_CASE("ranges: lowest, highest and slots stay in the gaps, aligned") {
    RangeAllocator ranges(RamMap::of_size(64 * kMiB));
    ranges.exclude(Gpa{0}, 0x100000);
    REQUIRE(ranges.claim(Gpa{32 * kMiB}, kMiB, "x").ok());
    const PlaceRequest request{3 * kMiB, 2 * kMiB, Gpa{0}, Gpa{64 * kMiB}};
    CHECK(ranges.lowest(request) == Gpa{2 * kMiB});
    CHECK(ranges.highest(request) == Gpa{60 * kMiB});
    // 2, 4 … 28 below, 34, 36 … 60 above.
    REQUIRE(ranges.slots(request) == 14 + 14);
    CHECK(ranges.slot(request, 13) == Gpa{28 * kMiB});
    CHECK(ranges.slot(request, 14) == Gpa{34 * kMiB});
    CHECK(ranges.slots({65 * kMiB, kPageSize, Gpa{0}, Gpa{kGiB}}) == 0);
    CHECK(ranges.slots({~uint64_t{0}, kPageSize, Gpa{0}, Gpa{kGiB}}) == 0);
    CHECK_FALSE(ranges.lowest({kMiB, kPageSize, Gpa{63 * kMiB}, Gpa{63 * kMiB}}));
    CHECK(ranges.highest({kMiB, kMiB, Gpa{0}, Gpa{33 * kMiB}}) == Gpa{31 * kMiB});
}

TEST_CASE("memory map: RAM without the PC's hole, reserved ranges in RAM and out of it, sorted") {
    const RamRange reserved[] = {{Gpa{0xe000'0000}, 0x1000'0000}, {Gpa{0x200000}, 0x1000}};
    const auto map = memory_map(RamMap::of_size(4 * kGiB), reserved);
    const std::vector<MemoryMapEntry> expected = {
        {Gpa{0}, 0x9fc00, MemoryType::kRam},
        {Gpa{0x9fc00}, 0x60400, MemoryType::kReserved},
        {Gpa{0x100000}, 0x100000, MemoryType::kRam},
        {Gpa{0x200000}, 0x1000, MemoryType::kReserved},
        {Gpa{0x201000}, 3 * kGiB - 0x201000, MemoryType::kRam},
        {Gpa{0xe000'0000}, 0x1000'0000, MemoryType::kReserved},
        {Gpa{4 * kGiB}, kGiB, MemoryType::kRam},
    };
    CHECK(map == expected);
}

namespace {

std::span<const std::byte> bytes_of(const std::vector<uint32_t>& words) {
    return std::as_bytes(std::span(words));
}

}  // namespace

TEST_CASE("relocations: two and three lists are told apart by their zeros") {
    const auto link = static_cast<uint32_t>(kLinkBase);
    const std::vector<uint32_t> three = {0, link, 0, link + 8, 0, link + 16, link + 20};
    const std::vector<uint32_t> two = {0, link, 0, link + 16};
    const std::vector<uint32_t> empty_inverse = {0, link, 0, 0, link + 16};
    CHECK(RelocationTable::parse(bytes_of(three))->has_inverse_list());
    CHECK_FALSE(RelocationTable::parse(bytes_of(two))->has_inverse_list());
    CHECK(RelocationTable::parse(bytes_of(empty_inverse))->has_inverse_list());
    CHECK(RelocationTable::parse(bytes_of(three))->size() == 4);

    Bytes image(32);
    const LinkedImage linked{kLinkBase, image};
    RelocationTable::parse(bytes_of(three))->apply(linked, 0x200000);
    CHECK(get<uint64_t>(image, 0) == 0x200000);
    CHECK(get<uint32_t>(image, 8) == 0xffe00000);
    CHECK(get<uint32_t>(image, 16) == 0x200000);
    CHECK(get<uint32_t>(image, 20) == 0x200000);
}

TEST_CASE("relocations: what is no table is told, places are checked at both ends") {
    for (const std::vector<uint32_t>& bad : {std::vector<uint32_t>{},
                                             {0},
                                             {0, 0},
                                             {0, 0, 0},
                                             {1, 2},
                                             {1, 0, 2, 0},
                                             {0, 1, 2},
                                             {0, 1, 0, 1, 0, 1, 0, 1}}) {
        CHECK_FALSE(RelocationTable::parse(bytes_of(bad)));
    }
    const std::vector<uint32_t> words = {0, 5, 0, 7};
    CHECK_FALSE(RelocationTable::parse(bytes_of(words).first(15)));
    std::vector<uint32_t> endless(RelocationTable::kMostBytes / 4 + 1, 1);
    endless.front() = endless[1] = 0;
    CHECK_FALSE(RelocationTable::parse(bytes_of(endless)));

    const auto link = static_cast<uint32_t>(kLinkBase);
    Bytes image(32);
    const LinkedImage linked{kLinkBase, image};
    const auto fits = [&](std::vector<uint32_t> table) {
        return RelocationTable::parse(bytes_of(table))->fits(linked);
    };
    CHECK(fits({0, link + 24, 0, link + 28}));
    CHECK_FALSE(fits({0, link + 25, 0, link}));  // 8 bytes there end outside
    CHECK_FALSE(fits({0, link, 0, link + 29}));
    CHECK_FALSE(fits({0, link, 0, link - 1}));
    CHECK_FALSE(fits({0, link, 0, 0x1000}));
    CHECK_FALSE(fits({0, link, 0, link + 29, 0, link}));
}

TEST_CASE("KASLR: virtual bases fill the kernel's GiB and never leave it") {
    uint64_t greatest = 0;
    for (uint64_t random = 0; random < 4096; ++random) {
        const uint64_t delta = choose_virtual_delta(kLinkBase, 40 * kMiB, kHugePageSize, random);
        CHECK(delta % kHugePageSize == 0);
        greatest = std::max(greatest, delta);
    }
    CHECK(kLinkBase + greatest + 40 * kMiB == 0xffff'ffff'c000'0000);
    CHECK(choose_virtual_delta(kLinkBase, kGiB, kHugePageSize, 77) == 0);
    CHECK(choose_virtual_delta(0x100000, kMiB, kHugePageSize, 77) == 0);
}

TEST_CASE("SIGBUS: lost guest memory becomes zeros and an alarm, anything else ends the process") {
    crash_registry::install_sigbus_handler();
    const Fd alarm(::eventfd(0, EFD_NONBLOCK));
    crash_registry::set_guest_memory_alarm(alarm.get());
    const InputFile file = make_file(Bytes(kPageSize), "ram");
    auto ram = Mapping::map(kPageSize, PROT_READ | PROT_WRITE, MAP_SHARED, file.fd.get(), 0, "ram");
    REQUIRE(ram.ok());
    REQUIRE(::ftruncate(file.fd.get(), 0) == 0);
    crash_registry::add_guest_memory(ram->data(), ram->size());
    CHECK_FALSE(crash_registry::guest_memory_lost(ram->data()));
    *reinterpret_cast<volatile char*>(ram->data()) = 1;
    CHECK(*reinterpret_cast<volatile char*>(ram->data() + 1) == 0);
    CHECK(crash_registry::guest_memory_lost(ram->data()));
    uint64_t alarms = 0;
    CHECK(::read(alarm.get(), &alarms, sizeof alarms) == sizeof alarms);
    crash_registry::set_guest_memory_alarm(-1);
    crash_registry::remove_guest_memory(ram->data());

    const pid_t child = ::fork();
    if (child == 0) {
        auto lost = Mapping::map(kPageSize, PROT_READ, MAP_SHARED, file.fd.get(), 0, "lost");
        ::_exit(lost.ok() ? *reinterpret_cast<volatile char*>(lost->data()) : 1);
    }
    int status = 0;
    REQUIRE(::waitpid(child, &status, 0) == child);
    CHECK((WIFSIGNALED(status) && WTERMSIG(status) == SIGBUS));
}

namespace {

PayloadCache::Payload payload_of(size_t size) {
    auto mapping = Mapping::map(size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0, "payload");
    REQUIRE(mapping.ok());
    return std::make_shared<const Mapping>(std::move(mapping).value());
}

}  // namespace

TEST_CASE("payload cache: bounded, last used stays longest, droppable while in use") {
    PayloadCache cache(3 * kPageSize);
    const FileIdentity a{1, 1, 1, 1};
    const FileIdentity b{1, 2, 1, 1};
    const FileIdentity c{1, 3, 1, 1};
    cache.insert(a, payload_of(kPageSize));
    cache.insert(b, payload_of(kPageSize));
    CHECK(cache.find(a) != nullptr);
    cache.insert(c, payload_of(2 * kPageSize));
    CHECK(cache.find(b) == nullptr);
    CHECK(cache.size() == 3 * kPageSize);
    const auto kept = cache.find(c);
    cache.drop_all();
    CHECK(cache.size() == 0);
    CHECK(kept->bytes()[2 * kPageSize - 1] == std::byte{0});
    cache.insert(a, payload_of(4 * kPageSize));
    CHECK(cache.find(a) == nullptr);  // too big for it
}

TEST_CASE(
    "payload cache: a kernel from the cache is the kernel from the file; a changed file is unpacked anew") {
    ElfSpec spec;
    spec.segments = {{0x1000000, 0x3000, 0x3000}, {0x1003000, 0x2000, 0x9000, 0x1800}};
    const Bytes bytes = make_bzimage(make_elf(spec), Packing::kLz4);
    const InputFile file = make_file(bytes, "vmlinuz");
    PayloadCache cache(kMiB);
    BootRequest request;
    request.payload_cache = &cache;
    for (int round = 0; round < 2; ++round) {
        const auto memory = make_memory(64 * kMiB);
        const auto result = load_kernel(file, request, *memory);
        REQUIRE(result.ok());
        CHECK(cache.size() > 0);
        CHECK(result->cpu.rip == 0x1000000);
        const auto image = memory->slice(Gpa{0x1000000}, 0xc000);
        CHECK((*image)[0x2fff] == std::byte{0x11});
        CHECK((*image)[0x3000] == std::byte{0x22});
        CHECK((*image)[0x5000] == std::byte{0});
    }
    const auto identity = KernelImage::open(file)->identity();
    REQUIRE(identity);
    CHECK(cache.find(*identity) != nullptr);
    FileIdentity touched = *identity;
    touched.mtime_ns += 1;
    CHECK(cache.find(touched) == nullptr);
}
