// JSON from whoever wrote it to a tree of values, or a sentence with line and column. Stricter than the
// format: each key once, a few levels, a few hundred keys, a bounded size; nothing outside of this folder's
// sources sees the library.
#pragma once

#include <nlohmann/json.hpp>

#include <string>
#include <string_view>

#include "vmm/config/config_files.h"
#include "vmm/config/place.h"

namespace carrel::config {

using Json = nlohmann::ordered_json;

inline constexpr size_t kMostLevels = 8;    // a fleet has 6
inline constexpr size_t kMostKeys = 64;     // of one object
inline constexpr size_t kMostItems = 4096;  // of one array: guests of a fleet

Result<Json> parse_json(std::string_view text, const Place& place);

// What stands there, for people: "an array".
const char* kind_of(const Json& value);

// Text for a file, with an end of line. Names that are no UTF-8 can't be written.
Result<std::string> print_json(const Json& value);

}  // namespace carrel::config
