// Any words as a relocation table: what fits() is applied, and only inside the image.
#include "boot/relocations.h"

#include <vector>

using namespace carrel::boot;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    const auto table = RelocationTable::parse(std::as_bytes(std::span(data, size)));
    if (!table) return 0;
    std::vector<std::byte> image(4096);
    for (const uint64_t link : {uint64_t{0xffff'ffff'8100'0000}, uint64_t{0}, uint64_t{0x7fff'f800}}) {
        const LinkedImage linked{link, image};
        if (table->fits(linked)) table->apply(linked, 0x20'0000);
    }
    return 0;
}
