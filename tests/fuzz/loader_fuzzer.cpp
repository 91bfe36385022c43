// Any bytes as a kernel: load_kernel() must say yes or no, in bounded time, without touching anything but
// guest memory.
#include "boot/kernel_image.h"
#include "boot/loader.h"
#include "tests/boot/files.h"

using namespace carrel;
using namespace carrel::boot;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    static const InputFile initrd = testing::make_file(testing::Bytes(10'000), "initrd");
    static const testing::Bytes entropy(64, std::byte{0x5a});
    const auto memory = testing::make_memory(64 * kMiB);
    BootRequest request;
    request.cmdline = "quiet";
    request.initrd = &initrd;
    request.entropy = entropy;
    const auto kernel = KernelImage::embedded(std::as_bytes(std::span(data, size)), "kernel");
    const auto result = load_kernel(kernel, request, *memory);
    // A kernel that was taken begins inside guest memory, and an error has its sentence.
    if (result.ok() ? !memory->slice(Gpa{result->image_base}, result->image_size)
                    : result.error().what.empty()) {
        __builtin_trap();
    }
    return 0;
}
