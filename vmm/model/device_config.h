// How a person writes what is said about one device: words between commas.
#pragma once

#include <string>
#include <vector>

namespace carrel {

// "A,b,,c" as words: A and "b,c"; a comma inside a word is written twice. At least one word, which may be
// empty.
std::vector<std::string> split_words(const std::string& text);

}  // namespace carrel
