// Small text files of /proc and /sys, and what stands in them.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "vmm/base/opener.h"

namespace carrel::app {

// At most 256 KiB of `path`; nothing where it can't be read.
std::optional<std::string> read_text(Opener& opener, const std::string& path);
// Its first line without the newline.
std::optional<std::string> read_line(Opener& opener, const std::string& path);
std::optional<uint64_t> read_number(Opener& opener, const std::string& path);

// Whether `word` stands in `text` with nothing of a word beside it: "svm" isn't in "svm_lock".
bool has_word(std::string_view text, std::string_view word);
// The rest of the first line that begins with `key`, blanks and a colon skipped.
std::optional<std::string> value_of(std::string_view text, std::string_view key);
// Leading digits; nothing where there are none.
std::optional<uint64_t> to_number(std::string_view text);

}  // namespace carrel::app
