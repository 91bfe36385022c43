// Files that aren't what they seem, or don't stay what they were.
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <chrono>
#include <thread>

#include "boot/initrd.h"
#include "boot/kernel_image.h"
#include "boot/range_allocator.h"
#include "tests/boot/checks.h"
#include "vmm/base/crash_registry.h"

using namespace carrel;
using namespace carrel::boot;
using namespace carrel::boot::testing;

namespace {

// Times of files go in the kernel's ticks, 1 to 10 ms.
void let_time_pass() {
    std::this_thread::sleep_for(std::chrono::milliseconds(25));
}

void set_mtime(const InputFile& file, time_t seconds) {
    const timespec times[2] = {{seconds, 0}, {seconds, 0}};
    REQUIRE(::futimens(file.fd.get(), times) == 0);
    let_time_pass();
}

void overwrite(const InputFile& file, off_t at) {
    const char byte = 'x';
    REQUIRE(::pwrite(file.fd.get(), &byte, 1, at) == 1);
}

long peak_kib() {
    rusage usage{};
    ::getrusage(RUSAGE_SELF, &usage);
    return usage.ru_maxrss;
}

InputFile open_file(const char* path) {
    return {Fd(::open(path, O_RDONLY | O_CLOEXEC)), path};
}

}  // namespace

TEST_CASE("inputs that are no regular file, or empty, are refused by name") {
    const auto refusal = [](InputFile file) {
        const auto image = KernelImage::open(file);
        REQUIRE_FALSE(image.ok());
        CHECK(image.error().fault == Fault::kUsage);
        return image.error().sentence();
    };
    CHECK(refusal({Fd(::open("/tmp", O_RDONLY | O_DIRECTORY)), "here"}).find("here is a directory") == 0);
    CHECK(refusal({Fd(::open("/dev/null", O_RDONLY)), "null"}).find("null is a character device") == 0);
    int pipe_ends[2];
    REQUIRE(::pipe(pipe_ends) == 0);
    const Fd writer(pipe_ends[1]);
    CHECK(refusal({Fd(pipe_ends[0]), "pipe"}).find("pipe is a FIFO") == 0);
    CHECK(refusal(make_file({}, "nothing")).find("nothing is empty") == 0);
}

TEST_CASE("a kernel that shrinks while it is read is an error, not a SIGBUS") {
    crash_registry::install_sigbus_handler();
    Bytes file = make_elf({});
    file.resize(20 * kPageSize, std::byte{1});
    const InputFile input = make_file(file, "vmlinux");
    const auto image = KernelImage::open(input);
    REQUIRE(image.ok());
    CHECK(image->check_whole().ok());
    REQUIRE(::ftruncate(input.fd.get(), 0) == 0);
    const auto memory = make_memory(64 * kMiB);
    const auto result = load_kernel(*image, {}, *memory);
    REQUIRE_FALSE(result.ok());
    CHECK(result.error().what.find("vmlinux shrank while it was read") == 0);
    CHECK(image->bytes().back() == std::byte{0});
}

TEST_CASE("an initrd that shrinks before it is read is an error") {
    const auto memory = make_memory(64 * kMiB);
    const InputFile file = make_file(Bytes(3 * kPageSize), "initrd");
    RangeAllocator ranges(memory->map());
    const auto initrd = place_initrd(&file, {Gpa{kGiB}, "a test"}, ranges);
    REQUIRE((initrd.ok() && initrd->has_value()));
    REQUIRE(::ftruncate(file.fd.get(), 100) == 0);
    const auto result = read_initrd(file, **initrd, *memory);
    REQUIRE_FALSE(result.ok());
    CHECK(result.error().what.find("initrd shrank while it was read: it ends at 0x64") == 0);
}

TEST_CASE("files that the host makes up as they are read are refused as such, whatever size they claim") {
    for (const char* path : {"/proc/version", "/sys/kernel/mm/transparent_hugepage/enabled", "/proc/kcore"}) {
        const InputFile file = open_file(path);
        if (!file.fd.valid()) continue;
        const auto image = KernelImage::open(file);
        REQUIRE_FALSE(image.ok());
        CHECK(image.error().fault == Fault::kUsage);
        CHECK(contains(image.error().sentence(), std::string(path) + " is no file on a disk"));
        RangeAllocator ranges(RamMap::of_size(64 * kMiB));
        const auto initrd = place_initrd(&file, {Gpa{kGiB}, "a test"}, ranges);
        REQUIRE_FALSE(initrd.ok());
        CHECK(initrd.error().fault == Fault::kUsage);
        CHECK(contains(initrd.error().sentence(), "can't be an initrd"));
    }
    CHECK(KernelImage::open(open_file("/proc/self/exe")).ok());  // a link to a file that is one
}

TEST_CASE("a kernel that is written to while it is read is an error, even if its time is set back") {
    const InputFile file = make_file(make_elf({}), "vmlinux");
    set_mtime(file, 1'000'000'000);
    const auto image = KernelImage::open(file);
    REQUIRE(image.ok());
    CHECK(image->check_whole().ok());
    overwrite(file, 0x100);
    if (GENERATE(false, true)) set_mtime(file, 1'000'000'000);
    const auto memory = make_memory(64 * kMiB);
    const auto result = load_kernel(*image, {}, *memory);
    REQUIRE_FALSE(result.ok());
    CHECK(result.error().fault == Fault::kHost);
    CHECK(result.error().sentence().find("vmlinux changed while it was read; start again when nobody") == 0);
}

TEST_CASE("a kernel that another is renamed over while it is read is read to its end") {
    char path[] = "/tmp/carrel-boot-test-XXXXXX";
    InputFile file{Fd(::mkstemp(path)), "vmlinux"};
    const Bytes elf = make_elf({});
    REQUIRE(::write(file.fd.get(), elf.data(), elf.size()) == static_cast<ssize_t>(elf.size()));
    let_time_pass();
    const auto image = KernelImage::open(file);
    REQUIRE(::unlink(path) == 0);  // to the file that is the same
    REQUIRE(image.ok());
    const auto memory = make_memory(64 * kMiB);
    CHECK(load_kernel(*image, {}, *memory).ok());
}

TEST_CASE("an initrd that is written to before it is read is an error") {
    const auto memory = make_memory(64 * kMiB);
    const InputFile file = make_file(Bytes(3 * kPageSize), "initrd");
    set_mtime(file, 1'000'000'000);
    RangeAllocator ranges(memory->map());
    const auto initrd = place_initrd(&file, {Gpa{kGiB}, "a test"}, ranges);
    REQUIRE((initrd.ok() && initrd->has_value()));
    CHECK(read_initrd(file, **initrd, *memory).ok());
    overwrite(file, GENERATE(0, 3 * static_cast<off_t>(kPageSize)));  // inside, and longer
    const auto result = read_initrd(file, **initrd, *memory);
    REQUIRE_FALSE(result.ok());
    CHECK(result.error().fault == Fault::kHost);
    CHECK(result.error().what == "initrd changed while it was read");
}

TEST_CASE("a sparse file behind a small ELF kernel costs no memory, be it taken or refused") {
    for (const uint64_t mem_size : {uint64_t{0x100}, uint64_t{0xf000'0000}}) {
        ElfSpec spec;
        spec.segments = {{kPhysicalBase, 0x100, mem_size}};
        const InputFile file = make_file(make_elf(spec), "vmlinux");
        for (const off_t size : {off_t{0xe000'0000}, off_t{15} << 20}) {
            REQUIRE(::ftruncate(file.fd.get(), size) == 0);
            const auto memory = make_memory(64 * kMiB);
            const long before = peak_kib();
            const auto result = load_kernel(file, {}, *memory);
            CHECK(peak_kib() - before < 8 * 1024);
            CHECK(result.ok() == (mem_size == 0x100));
            if (!result.ok()) CHECK(contains(result.error().sentence(), "carrel loads kernels below 3 GiB"));
        }
    }
}
