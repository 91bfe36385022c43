#include "boot/acpi/aml.h"

#include <initializer_list>
#include <limits>
#include <string>

#include "vmm/base/check.h"

namespace carrel::acpi::aml {
namespace {

// The opcodes, under the grammar's names (20.3, AML Byte Stream Byte Values).
enum class Op : uint8_t {
    kZero = 0x00,
    kOne = 0x01,
    kName = 0x08,
    kBytePrefix = 0x0a,
    kWordPrefix = 0x0b,
    kDWordPrefix = 0x0c,
    kStringPrefix = 0x0d,
    kQWordPrefix = 0x0e,
    kScope = 0x10,
    kBuffer = 0x11,
    kPackage = 0x12,
    kMethod = 0x14,
    kDualNamePrefix = 0x2e,
    kMultiNamePrefix = 0x2f,
    kExtOpPrefix = 0x5b,
    kArg0 = 0x68,
    kOr = 0x7d,
    kCreateDWordField = 0x8a,
    kLEqual = 0x93,
    kIf = 0xa0,
    kReturn = 0xa4,
    kOnes = 0xff,
};
constexpr uint8_t kDeviceExtOp = 0x82;  // DeviceOp := ExtOpPrefix 0x82

constexpr size_t kMaxArgs = 7;

Bytes join(std::initializer_list<const Bytes*> parts) {
    Bytes joined;
    for (const Bytes* part : parts) append(joined, *part);
    return joined;
}

Bytes join(const TermList& terms) {
    Bytes joined;
    for (const TermObj& term : terms) append(joined, term.bytes);
    return joined;
}

Bytes opcode(Op op) {
    Bytes bytes;
    append(bytes, op);
    return bytes;
}

// op operand…
Bytes simple(Op op, std::initializer_list<const Bytes*> operands) {
    Bytes bytes = opcode(op);
    append(bytes, join(operands));
    return bytes;
}

// op PkgLength contents…
Bytes package(const Bytes& op, const Bytes& contents) {
    const Bytes length = pkg_length(contents.size());
    return join({&op, &length, &contents});
}

template <class T>
DataObject constant(Op prefix, T value) {
    Bytes bytes = opcode(prefix);
    append(bytes, value);
    return DataObject{{bytes}};
}

bool is_digit(char c) {
    return c >= '0' && c <= '9';
}
bool is_lead_name_char(char c) {
    return (c >= 'A' && c <= 'Z') || c == '_';
}

// NameSeg := LeadNameChar NameChar NameChar NameChar, padded with '_'.
void append_name_seg(Bytes& to, std::string_view segment) {
    constexpr size_t kLength = 4;
    CHECK(!segment.empty() && segment.size() <= kLength && is_lead_name_char(segment.front()));
    for (const char c : segment) {
        CHECK(is_lead_name_char(c) || is_digit(c));
        append(to, c);
    }
    for (size_t i = segment.size(); i < kLength; ++i) append(to, '_');
}

// NamePath := NameSeg | DualNamePath | MultiNamePath | NullName
void append_name_path(Bytes& to, const std::vector<std::string_view>& segments) {
    if (segments.empty()) append(to, uint8_t{0});
    if (segments.size() == 2) append(to, Op::kDualNamePrefix);
    if (segments.size() > 2) {
        CHECK(segments.size() <= std::numeric_limits<uint8_t>::max());
        append(to, Op::kMultiNamePrefix);
        append(to, static_cast<uint8_t>(segments.size()));
    }
    for (const std::string_view segment : segments) append_name_seg(to, segment);
}

std::vector<std::string_view> split_at_dots(std::string_view path) {
    std::vector<std::string_view> segments;
    while (!path.empty()) {
        const size_t dot = path.find('.');
        segments.push_back(path.substr(0, dot));
        if (dot == std::string_view::npos) break;
        path.remove_prefix(dot + 1);
        CHECK(!path.empty());
    }
    return segments;
}

uint32_t hex_digit(char c) {
    constexpr std::string_view kDigits = "0123456789ABCDEFabcdef";
    const size_t at = kDigits.find(c);
    CHECK(at != std::string_view::npos);
    return static_cast<uint32_t>(at < 16 ? at : at - 6);
}

}  // namespace

NameString::NameString(std::string_view path) {
    const char prefix = path.starts_with('\\') ? '\\' : '^';
    for (; path.starts_with(prefix); path.remove_prefix(1)) {
        append(bytes_, prefix);
        CHECK(prefix == '^' || bytes_.size() == 1);  // one root
    }
    append_name_path(bytes_, split_at_dots(path));
}

Bytes pkg_length(size_t contents) {
    constexpr size_t kShortLimit = 1 << 6;  // with one byte: six bits of length
    Bytes bytes;
    if (contents + 1 < kShortLimit) {
        append(bytes, static_cast<uint8_t>(contents + 1));
        return bytes;
    }
    size_t following = 1;  // each adds eight bits to the four in the lead byte
    while (contents + 1 + following >= size_t{1} << (4 + 8 * following)) ++following;
    CHECK(following <= 3);
    const size_t length = contents + 1 + following;
    append(bytes, static_cast<uint8_t>(following << 6 | (length & 0xf)));
    for (size_t i = 0; i < following; ++i) append(bytes, static_cast<uint8_t>(length >> (4 + 8 * i)));
    return bytes;
}

DataObject integer(uint64_t value) {
    if (value == 0) return DataObject{{opcode(Op::kZero)}};
    if (value == 1) return DataObject{{opcode(Op::kOne)}};
    if (value == std::numeric_limits<uint64_t>::max()) return DataObject{{opcode(Op::kOnes)}};
    if (value <= std::numeric_limits<uint8_t>::max())
        return constant(Op::kBytePrefix, static_cast<uint8_t>(value));
    if (value <= std::numeric_limits<uint16_t>::max())
        return constant(Op::kWordPrefix, static_cast<uint16_t>(value));
    if (value <= std::numeric_limits<uint32_t>::max())
        return constant(Op::kDWordPrefix, static_cast<uint32_t>(value));
    return constant(Op::kQWordPrefix, value);
}

DataObject string(std::string_view text) {
    Bytes bytes = opcode(Op::kStringPrefix);
    for (const char c : text) {
        CHECK(c > 0);  // AsciiChar := 0x01 - 0x7F
        append(bytes, c);
    }
    append(bytes, '\0');
    return DataObject{{bytes}};
}

// 6.1.5: 5 bits for each letter ('A' is 1), 16 bits of product number; most significant byte first.
DataObject eisa_id(std::string_view id) {
    CHECK(id.size() == 7);
    uint32_t compressed = 0;
    for (const char letter : id.substr(0, 3)) {
        CHECK(letter >= 'A' && letter <= 'Z');
        compressed = compressed << 5 | static_cast<uint32_t>(letter - 'A' + 1);
    }
    for (const char digit : id.substr(3)) compressed = compressed << 4 | hex_digit(digit);
    return integer(__builtin_bswap32(compressed));
}

// 19.6.142: the first three groups are numbers, so little-endian; the others are bytes.
DataObject to_uuid(std::string_view uuid) {
    constexpr size_t kDigitsAt[16] = {6, 4, 2, 0, 11, 9, 16, 14, 19, 21, 24, 26, 28, 30, 32, 34};
    CHECK(uuid.size() == 36);
    Bytes bytes;
    for (const size_t at : kDigitsAt)
        append(bytes, static_cast<uint8_t>(hex_digit(uuid[at]) << 4 | hex_digit(uuid[at + 1])));
    return def_buffer(bytes);
}

// DefBuffer := BufferOp PkgLength BufferSize ByteList
DataObject def_buffer(const Bytes& contents) {
    const DataObject size = integer(contents.size());
    return DataObject{{package(opcode(Op::kBuffer), join({&size.bytes, &contents}))}};
}

// DefPackage := PackageOp PkgLength NumElements PackageElementList
DataObject def_package(const std::vector<DataObject>& elements) {
    CHECK(elements.size() <= std::numeric_limits<uint8_t>::max());
    Bytes contents;
    append(contents, static_cast<uint8_t>(elements.size()));
    for (const DataObject& element : elements) append(contents, element.bytes);
    return DataObject{{package(opcode(Op::kPackage), contents)}};
}

// DefLEqual := LequalOp Operand Operand
TermArg def_lequal(const TermArg& left, const TermArg& right) {
    return TermArg{simple(Op::kLEqual, {&left.bytes, &right.bytes})};
}

// DefOr := OrOp Operand Operand Target
TermObj def_or(const TermArg& left, const TermArg& right, const NameString& target) {
    return TermObj{simple(Op::kOr, {&left.bytes, &right.bytes, &target.bytes()})};
}

// DefScope := ScopeOp PkgLength NameString TermList
TermObj def_scope(const NameString& name, const TermList& terms) {
    const Bytes body = join(terms);
    return TermObj{package(opcode(Op::kScope), join({&name.bytes(), &body}))};
}

// DefDevice := DeviceOp PkgLength NameString TermList
TermObj def_device(const NameString& name, const TermList& terms) {
    Bytes op = opcode(Op::kExtOpPrefix);
    append(op, kDeviceExtOp);
    const Bytes body = join(terms);
    return TermObj{package(op, join({&name.bytes(), &body}))};
}

// DefName := NameOp NameString DataRefObject
TermObj def_name(const NameString& name, const DataObject& value) {
    return TermObj{simple(Op::kName, {&name.bytes(), &value.bytes})};
}

// DefMethod := MethodOp PkgLength NameString MethodFlags TermList
// MethodFlags: bits 2-0 ArgCount, bit 3 SerializeFlag, bits 7-4 SyncLevel
TermObj def_method(const NameString& name, uint8_t args, Serialize serialize, const TermList& terms) {
    CHECK(args <= kMaxArgs);
    Bytes flags;
    append(flags, static_cast<uint8_t>(args | static_cast<uint8_t>(serialize) << 3));
    const Bytes body = join(terms);
    return TermObj{package(opcode(Op::kMethod), join({&name.bytes(), &flags, &body}))};
}

// DefCreateDWordField := CreateDWordFieldOp SourceBuff ByteIndex NameString
TermObj def_create_dword_field(const TermArg& buffer, uint64_t index, const NameString& field) {
    const DataObject byte_index = integer(index);
    return TermObj{simple(Op::kCreateDWordField, {&buffer.bytes, &byte_index.bytes, &field.bytes()})};
}

// DefIfElse := IfOp PkgLength Predicate TermList DefElse
TermObj def_if(const TermArg& predicate, const TermList& terms) {
    const Bytes body = join(terms);
    return TermObj{package(opcode(Op::kIf), join({&predicate.bytes, &body}))};
}

// DefReturn := ReturnOp ArgObject
TermObj def_return(const TermArg& value) {
    return TermObj{simple(Op::kReturn, {&value.bytes})};
}

TermArg arg(uint8_t index) {
    CHECK(index < kMaxArgs);
    return TermArg{opcode(static_cast<Op>(static_cast<uint8_t>(Op::kArg0) + index))};
}

TermArg value_of(const NameString& name) {
    return TermArg{name.bytes()};
}

}  // namespace carrel::acpi::aml
