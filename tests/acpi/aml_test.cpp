#include "boot/acpi/aml.h"

#include <initializer_list>
#include <string>

#include "tests/catch.h"

using namespace carrel::acpi;
using namespace carrel::acpi::aml;

namespace {

Bytes bytes(std::initializer_list<int> values) {
    Bytes result;
    for (const int value : values) append(result, static_cast<uint8_t>(value));
    return result;
}

// What a reader of 20.2.4 gets out of a PkgLength.
size_t decode_pkg_length(const Bytes& encoded) {
    const auto lead = std::to_integer<size_t>(encoded[0]);
    const size_t following = lead >> 6;
    REQUIRE(encoded.size() == following + 1);
    if (following == 0) return lead & 0x3f;
    CHECK((lead & 0x30) == 0);
    size_t length = lead & 0xf;
    for (size_t i = 0; i < following; ++i) length |= std::to_integer<size_t>(encoded[i + 1]) << (4 + 8 * i);
    return length;
}

}  // namespace

TEST_CASE("PkgLength takes one to four bytes and counts itself (20.2.4)") {
    struct Boundary {
        size_t contents, size;
    };
    constexpr size_t k3 = size_t{1} << 20;
    constexpr size_t k4 = size_t{1} << 28;
    for (const auto& [contents, size] : {Boundary{0, 1},
                                         {61, 1},
                                         {62, 1},
                                         {63, 2},
                                         {64, 2},
                                         {4092, 2},
                                         {4093, 2},
                                         {4094, 3},
                                         {4095, 3},
                                         {4096, 3},
                                         {k3 - 4, 3},
                                         {k3 - 3, 4},
                                         {k4 - 5, 4}}) {
        CAPTURE(contents);
        const Bytes encoded = pkg_length(contents);
        CHECK(encoded.size() == size);
        CHECK(decode_pkg_length(encoded) == contents + size);
    }
    CHECK(pkg_length(62) == bytes({0x3f}));
    CHECK(pkg_length(63) == bytes({0x41, 0x04}));
    CHECK(pkg_length(4093) == bytes({0x4f, 0xff}));
    CHECK(pkg_length(4094) == bytes({0x81, 0x00, 0x01}));
}

TEST_CASE("an integer has the shortest encoding (20.2.3)") {
    CHECK(integer(0).bytes == bytes({0x00}));
    CHECK(integer(1).bytes == bytes({0x01}));
    CHECK(integer(2).bytes == bytes({0x0a, 2}));
    CHECK(integer(0xff).bytes == bytes({0x0a, 0xff}));
    CHECK(integer(0x100).bytes == bytes({0x0b, 0x00, 0x01}));
    CHECK(integer(0xffff).bytes == bytes({0x0b, 0xff, 0xff}));
    CHECK(integer(0x10000).bytes == bytes({0x0c, 0, 0, 1, 0}));
    CHECK(integer(0xffffffff).bytes == bytes({0x0c, 0xff, 0xff, 0xff, 0xff}));
    CHECK(integer(0x100000000).bytes == bytes({0x0e, 0, 0, 0, 0, 1, 0, 0, 0}));
    CHECK(integer(~uint64_t{0}).bytes == bytes({0xff}));
}

TEST_CASE("a name is padded to segments of four, with the prefix for two and for more (20.2.2)") {
    CHECK(NameString("_UID").bytes() == bytes({'_', 'U', 'I', 'D'}));
    CHECK(NameString("A1").bytes() == bytes({'A', '1', '_', '_'}));
    CHECK(NameString("\\").bytes() == bytes({'\\', 0}));
    CHECK(NameString("\\_SB").bytes() == bytes({'\\', '_', 'S', 'B', '_'}));
    CHECK(NameString("^^X").bytes() == bytes({'^', '^', 'X', '_', '_', '_'}));
    CHECK(NameString("\\_SB.PCI0").bytes() == bytes({'\\', 0x2e, '_', 'S', 'B', '_', 'P', 'C', 'I', '0'}));
    CHECK(NameString("A.B.C").bytes() ==
          bytes({0x2f, 3, 'A', '_', '_', '_', 'B', '_', '_', '_', 'C', '_', '_', '_'}));
}

TEST_CASE("strings, EISA ids and UUIDs") {
    CHECK(string("LNRO").bytes == bytes({0x0d, 'L', 'N', 'R', 'O', 0}));
    CHECK(string("").bytes == bytes({0x0d, 0}));
    CHECK(eisa_id("PNP0501").bytes == bytes({0x0c, 0x41, 0xd0, 0x05, 0x01}));
    CHECK(eisa_id("PNP0A03").bytes == bytes({0x0c, 0x41, 0xd0, 0x0a, 0x03}));
    CHECK(eisa_id("PNP0c0F").bytes == eisa_id("PNP0C0f").bytes);
    // The example of 19.6.142: aa…pp are its bytes, and this is the order they get.
    CHECK(to_uuid("33db4d5b-1ff7-401c-9657-7441c03dd766").bytes ==
          bytes({0x11, 0x13, 0x0a, 0x10, 0x5b, 0x4d, 0xdb, 0x33, 0xf7, 0x1f,
                 0x1c, 0x40, 0x96, 0x57, 0x74, 0x41, 0xc0, 0x3d, 0xd7, 0x66}));
}

TEST_CASE("a buffer tells its size, a package its number of elements") {
    CHECK(def_buffer(bytes({7, 8})).bytes == bytes({0x11, 0x05, 0x0a, 0x02, 7, 8}));
    CHECK(def_buffer({}).bytes == bytes({0x11, 0x02, 0x00}));
    CHECK(def_package({integer(5), integer(0)}).bytes == bytes({0x12, 0x05, 0x02, 0x0a, 0x05, 0x00}));
    CHECK(def_package(std::vector<DataObject>(255, integer(0))).bytes.size() == 1 + 2 + 1 + 255);
}

TEST_CASE("definitions hold their terms, one after the other") {
    const TermObj uid = def_name("_UID", integer(1));
    CHECK(uid.bytes == bytes({0x08, '_', 'U', 'I', 'D', 0x01}));
    CHECK(def_scope("\\_SB", {uid}).bytes ==
          bytes({0x10, 0x0c, '\\', '_', 'S', 'B', '_', 0x08, '_', 'U', 'I', 'D', 0x01}));
    CHECK(def_device("COM1", {uid, uid}).bytes == bytes({0x5b, 0x82, 0x11, 'C', 'O', 'M', '1', 0x08, '_', 'U',
                                                         'I', 'D', 0x01, 0x08, '_', 'U', 'I', 'D', 0x01}));
    CHECK(def_device("COM1", {}).bytes == bytes({0x5b, 0x82, 0x05, 'C', 'O', 'M', '1'}));
}

TEST_CASE("a method has its flags before its statements") {
    CHECK(def_method("_STA", 0, Serialize::kNot, {def_return(integer(15))}).bytes ==
          bytes({0x14, 0x09, '_', 'S', 'T', 'A', 0x00, 0xa4, 0x0a, 0x0f}));
    CHECK(def_method("M", 7, Serialize::kSerialized, {}).bytes ==
          bytes({0x14, 0x06, 'M', '_', '_', '_', 0x0f}));
}

TEST_CASE("statements and expressions") {
    CHECK(def_if(def_lequal(arg(0), integer(1)), {def_return(arg(6))}).bytes ==
          bytes({0xa0, 0x06, 0x93, 0x68, 0x01, 0xa4, 0x6e}));
    CHECK(def_or(value_of("CDW1"), integer(4), "CDW1").bytes ==
          bytes({0x7d, 'C', 'D', 'W', '1', 0x0a, 0x04, 'C', 'D', 'W', '1'}));
    CHECK(def_create_dword_field(arg(3), 0, "CDW1").bytes == bytes({0x8a, 0x6b, 0x00, 'C', 'D', 'W', '1'}));
}
