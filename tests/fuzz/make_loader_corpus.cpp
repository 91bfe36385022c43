// usage: make_loader_corpus FOLDER: writes loader/* and relocations/*, the seed corpora of the fuzz targets.
#include <filesystem>
#include <fstream>
#include <iostream>

#include "tests/boot/files.h"

using namespace carrel::boot::testing;

namespace {

void write(const std::filesystem::path& path, const Bytes& bytes) {
    std::filesystem::create_directories(path.parent_path());
    std::ofstream(path, std::ios::binary)
        .write(reinterpret_cast<const char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
}

std::vector<uint32_t> table(bool inverse) {
    const auto link = static_cast<uint32_t>(kLinkBase);
    if (inverse) return {0, link + 0x40, 0, link + 0x80, 0, link, link + 4};
    return {0, link + 0x40, 0, link, link + 4};
}

ElfSpec moving() {
    ElfSpec spec;
    spec.segments = {{kPhysicalBase, 0x80, 0x80}, {kPhysicalBase + 0x1000, 0x40, 0x2000, 0x10}};
    spec.tail = table(false);
    return spec;
}

}  // namespace

int main(int argc, char** argv) {
    if (argc != 2) return std::cerr << "usage: make_loader_corpus FOLDER\n", 1;
    const std::filesystem::path folder = argv[1];
    ElfSpec pvh;
    pvh.entry = kLinkBase;
    pvh.pvh_entry = kPhysicalBase + 0x20;
    ElfSpec relocatable;
    relocatable.tail = table(true);
    write(folder / "loader/elf", make_elf({}));
    write(folder / "loader/elf-pvh", make_elf(pvh));
    write(folder / "loader/elf-relocatable", make_elf(relocatable));
    const std::pair<const char*, Packing> packings[] = {
        {"lz4", Packing::kLz4},   {"zstd", Packing::kZstd}, {"xz", Packing::kXz},
        {"gzip", Packing::kGzip}, {"lzo", Packing::kLzo},   {"unknown", Packing::kUnknown}};
    for (const auto& [name, packing] : packings) {
        write(folder / "loader" / (std::string("bzimage-") + name),
              make_bzimage(make_elf(moving()), packing));
    }
    ElfSpec zeros;
    zeros.tail = {0, 0, 0};
    write(folder / "loader/elf-zeros-behind", make_elf(zeros));
    const Bytes small = make_elf({});
    write(folder / "loader/bzimage-zstd-window", make_bzimage_of(make_zstd_frame(small, 31), small.size()));
    for (const bool inverse : {false, true}) {
        Bytes bytes;
        for (const uint32_t word : table(inverse)) put(bytes, bytes.size(), word);
        write(folder / "relocations" / (inverse ? "three" : "two"), bytes);
    }
}
