// acpi_dump DIR: writes DIR/PLATFORM/SIGNATURE.aml for each table of each sample platform, for iasl.sh.
// acpi_dump --image ADDRESS FILE: the default platform's tables as they lie at ADDRESS, for linux.sh.
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "boot/acpi/tables.h"
#include "tests/acpi/acpi_walk.h"

using namespace carrel;

namespace {

bool write_file(const std::filesystem::path& path, const acpi::Bytes& bytes) {
    std::ofstream file(path, std::ios::binary);
    file.write(reinterpret_cast<const char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
    file.close();
    return file.good();
}

bool dump(const std::filesystem::path& folder, const acpi::Platform& platform) {
    constexpr Gpa kBase = acpi::kDefaultArea.base;
    std::filesystem::create_directories(folder);
    for (const auto& [signature, table] : acpi::walk_tables(acpi::build_tables(platform, kBase), kBase))
        if (!write_file(folder / (signature + ".aml"), table)) return false;
    return true;
}

int usage() {
    std::fputs("usage: acpi_dump DIR | acpi_dump --image ADDRESS FILE\n", stderr);
    return 2;
}

}  // namespace

int main(int argc, char** argv) {
    const std::vector<std::string> args(argv + 1, argv + argc);
    if (args.size() == 3 && args[0] == "--image") {
        const Gpa base{std::strtoull(args[1].c_str(), nullptr, 0)};
        return write_file(args[2], acpi::build_tables(acpi::sample_platforms().at("default"), base)) ? 0 : 1;
    }
    if (args.size() != 1) return usage();
    for (const auto& [name, platform] : acpi::sample_platforms())
        if (!dump(std::filesystem::path(args[0]) / name, platform)) return 1;
    return 0;
}
