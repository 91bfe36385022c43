// What is given back of our code is our code: between two segments of a file the kernel may have mapped
// anything, a ring of io_uring's for one (which then raised SIGBUS).
#include <cinttypes>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <fstream>
#include <span>
#include <string>

#include "tests/catch.h"
#include "vmm/base/resident_code.h"

using namespace carrel;

TEST_CASE("a program's code is one whole mapping of its file, which can be run") {
    const std::span<const std::byte> code = program_code();
    const auto begin = reinterpret_cast<uintptr_t>(code.data());
    std::ifstream maps("/proc/self/maps");
    int found = 0;
    for (std::string line; std::getline(maps, line);) {
        uintptr_t from = 0, to = 0;
        char may[5] = "";
        REQUIRE(std::sscanf(line.c_str(), "%" SCNxPTR "-%" SCNxPTR " %4s", &from, &to, may) == 3);
        if (from >= begin + code.size() || to <= begin) continue;
        CAPTURE(line);
        CHECK(from == begin);
        CHECK(to == begin + code.size());
        CHECK(std::string(may) == "r-xp");
        ++found;
    }
    CHECK(found == 1);
    const auto here = reinterpret_cast<uintptr_t>(&program_code);
    CHECK((here >= begin && here < begin + code.size()));
}
