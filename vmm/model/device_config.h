// How a person writes what is said about one device: words between commas.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace carrel {

// "A,b,,c" as words: A and "b,c"; a comma inside a word is written twice. At least one word, which may be
// empty.
std::vector<std::string> split_words(const std::string& text);
// A word as it is written among others: its commas twice.
std::string escaped_word(std::string_view word);
// "id=x" for "id": x. Nothing where it is another word.
std::optional<std::string> value_of(const std::string& word, std::string_view key);
// Digits and nothing else.
std::optional<unsigned> whole_number(std::string_view text, int base = 10);

}  // namespace carrel
