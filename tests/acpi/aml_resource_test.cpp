#include "boot/acpi/aml_resource.h"

#include <initializer_list>

#include "tests/catch.h"

using namespace carrel;
using namespace carrel::acpi;
using namespace carrel::acpi::aml;

namespace {

Bytes bytes(std::initializer_list<int> values) {
    Bytes result;
    for (const int value : values) append(result, static_cast<uint8_t>(value));
    return result;
}

}  // namespace

TEST_CASE("small resource descriptors (6.4.2)") {
    CHECK(io(0x3f8, 8).bytes == bytes({0x47, 0x01, 0xf8, 0x03, 0xf8, 0x03, 0x01, 0x08}));
    CHECK(irq_no_flags(4).bytes == bytes({0x22, 0x10, 0x00}));
    CHECK(irq_no_flags(15).bytes == bytes({0x22, 0x00, 0x80}));
}

TEST_CASE("large resource descriptors (6.4.3)") {
    CHECK(memory32_fixed(Gpa{0xe0000000}, 0x100000).bytes ==
          bytes({0x86, 9, 0, 0x01, 0, 0, 0, 0xe0, 0, 0, 0x10, 0}));
    CHECK(interrupt(Trigger::kEdge, 24).bytes == bytes({0x89, 6, 0, 0x03, 1, 24, 0, 0, 0}));
    CHECK(interrupt(Trigger::kLevel, 0x1234).bytes == bytes({0x89, 6, 0, 0x09, 1, 0x34, 0x12, 0, 0}));
}

TEST_CASE("address spaces: fixed at both ends, the length counts both (6.4.3.5)") {
    CHECK(word_bus_number(0, 0xff).bytes ==
          bytes({0x88, 13, 0, 2, 0x0c, 0, 0, 0, 0, 0, 0xff, 0, 0, 0, 0, 1}));
    CHECK(word_io(0x1000, 0xffff).bytes ==
          bytes({0x88, 13, 0, 1, 0x0c, 3, 0, 0, 0x00, 0x10, 0xff, 0xff, 0, 0, 0x00, 0xf0}));
    CHECK(dword_memory(0xc0000000, 0xdfffffff).bytes ==
          bytes({0x87, 23,   0,    0,    0x0c, 1, 0, 0, 0, 0, 0, 0, 0,
                 0xc0, 0xff, 0xff, 0xff, 0xdf, 0, 0, 0, 0, 0, 0, 0, 0x20}));
    const Bytes qword = qword_memory(0x1000000000, 0x17ffffffff).bytes;
    REQUIRE(qword.size() == 46);
    CHECK(Bytes(qword.begin(), qword.begin() + 6) == bytes({0x8a, 43, 0, 0, 0x0c, 1}));
    CHECK(Bytes(qword.end() - 8, qword.end()) == bytes({0, 0, 0, 0, 8, 0, 0, 0}));
}

TEST_CASE("a template is a buffer that ends with an end tag, whose checksum 0 is always right (6.4.2.9)") {
    CHECK(resource_template({}).bytes == bytes({0x11, 0x05, 0x0a, 0x02, 0x79, 0x00}));
    CHECK(resource_template({irq_no_flags(4)}).bytes ==
          bytes({0x11, 0x08, 0x0a, 0x05, 0x22, 0x10, 0x00, 0x79, 0x00}));
}
