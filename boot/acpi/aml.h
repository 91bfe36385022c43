// A typed writer of AML, the ACPI Machine Language. Read it with chapter 20 of the ACPI specification (6.5)
// beside you: each function is one symbol of that grammar and bears its name, the section stands above it.
//
//   def_device("COM1", {def_name("_HID", eisa_id("PNP0501")), …})      what we write
//   Device (COM1) { Name (_HID, EisaId ("PNP0501")) … }                ASL, what `iasl -d` shows
//   5B 82 len 'C' 'O' 'M' '1'  08 '_' 'H' 'I' 'D' 0C 41 D0 05 01 …     AML, what the guest reads
//
// What may stand where is a C++ type, so that a wrong nesting doesn't compile. There are only the symbols
// that our tables need; the next one is a few lines more. Pure functions: any thread. A name or string that
// the grammar doesn't allow is our own bug (CHECK).
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "boot/acpi/encode.h"

namespace carrel::acpi::aml {

// TermObj (20.2.5): a definition or a statement.
struct TermObj {
    Bytes bytes;
};
using TermList = std::vector<TermObj>;

// TermArg (20.2.5): anything that has a value.
struct TermArg {
    Bytes bytes;
};

// DataObject (20.2.3): a constant; the one kind of value that names and packages can hold.
struct DataObject : TermArg {};

// NameString (20.2.2): `\` for the root or `^` for each parent, then segments of one to four characters with
// dots between them, as in ASL: "\_SB.PCI0". A segment is padded with '_' to four.
class NameString {
  public:
    // Implicit, so that a path reads as in ASL.
    // NOLINTNEXTLINE(google-explicit-constructor)
    NameString(const char* path) : NameString(std::string_view(path)) {}
    explicit NameString(std::string_view path);
    const Bytes& bytes() const { return bytes_; }

  private:
    Bytes bytes_;
};

// PkgLength (20.2.4) of a package whose contents, itself not counted, have `contents` bytes.
//
//   bits 7-6 of the lead byte: how many bytes follow
//   0 follow   | 0 0 | length, 6 bits                       |                           0 … 63
//   1-3 follow | n n | 0 0 | length bits 3-0 | bits 11-4 | bits 19-12 | bits 27-20      up to 2^28 - 1
//
// The length counts the PkgLength bytes themselves.
Bytes pkg_length(size_t contents);

// --- 20.2.3 data objects ---------------------------------------------------------------------------------

// Integer: ZeroOp, OneOp, OnesOp, or the shortest of ByteConst, WordConst, DWordConst, QWordConst.
DataObject integer(uint64_t value);
// String: 7-bit ASCII without NUL.
DataObject string(std::string_view text);
// EISAID (19.6.36): three letters and four hex digits, compressed into an integer.
DataObject eisa_id(std::string_view id);
// ToUUID (19.6.142): "aabbccdd-eeff-gghh-iijj-kkllmmnnoopp" as the 16 bytes of a buffer.
DataObject to_uuid(std::string_view uuid);

// --- 20.2.5.4 expressions --------------------------------------------------------------------------------

// DefBuffer.
DataObject def_buffer(const Bytes& contents);
// DefPackage: at most 255 elements.
DataObject def_package(const std::vector<DataObject>& elements);
// DefLEqual: true where both are equal.
TermArg def_lequal(const TermArg& left, const TermArg& right);
// DefOr: `target` = `left` | `right`.
TermObj def_or(const TermArg& left, const TermArg& right, const NameString& target);

// --- 20.2.5.1 and 20.2.5.2 namespace modifiers and named objects -----------------------------------------

// DefScope: opens a scope that exists.
TermObj def_scope(const NameString& name, const TermList& terms);
// DefDevice.
TermObj def_device(const NameString& name, const TermList& terms);
// DefName.
TermObj def_name(const NameString& name, const DataObject& value);
// DefMethod. `args` is 0 to 7. Serialized is for a method that creates named objects: they last for one call.
enum class Serialize : uint8_t { kNot = 0, kSerialized = 1 };
TermObj def_method(const NameString& name, uint8_t args, Serialize serialize, const TermList& terms);
// DefCreateDWordField: `field` names the 32 bits at byte `index` of `buffer`.
TermObj def_create_dword_field(const TermArg& buffer, uint64_t index, const NameString& field);

// --- 20.2.5.3 statements ---------------------------------------------------------------------------------

// DefIfElse without an else.
TermObj def_if(const TermArg& predicate, const TermList& terms);
// DefReturn.
TermObj def_return(const TermArg& value);

// --- 20.2.6 arguments and names as values ----------------------------------------------------------------

// ArgObj: the method's argument number `index`, 0 to 6.
TermArg arg(uint8_t index);
// What the named object holds.
TermArg value_of(const NameString& name);

}  // namespace carrel::acpi::aml
