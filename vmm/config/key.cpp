#include "vmm/config/key.h"

#include <algorithm>
#include <numeric>

namespace carrel::config {
namespace {

// How many letters are to be changed, added or dropped to make `b` of `a` (Levenshtein), row by row.
size_t distance(std::string_view a, std::string_view b) {
    std::vector<size_t> row(b.size() + 1);
    std::iota(row.begin(), row.end(), size_t{0});
    for (size_t i = 1; i <= a.size(); ++i) {
        size_t diagonal = row[0];
        row[0] = i;
        for (size_t j = 1; j <= b.size(); ++j) {
            const size_t replaced = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
            diagonal = row[j];
            row[j] = std::min({replaced, row[j] + 1, row[j - 1] + 1});
        }
    }
    return row.back();
}

}  // namespace

Result<bool> parse_flag(const std::string& text, const char* key) {
    if (text == "true") return true;
    if (text == "false") return false;
    return usage_error(std::string(key) + ": '" + text + "' is neither true nor false");
}

std::string suggestion(std::string_view word, std::span<const std::string_view> known) {
    constexpr size_t kLongest = 40;  // no key is
    if (known.empty() || word.size() > kLongest) return {};
    const auto nearest = std::ranges::min_element(
        known, {}, [word](std::string_view candidate) { return distance(word, candidate); });
    // Half of it may be wrong, not more: a guess that is none of what was meant sends people the wrong way.
    if (distance(word, *nearest) * 2 > std::max(word.size(), nearest->size())) return {};
    return "; did you mean '" + std::string(*nearest) + "'?";
}

}  // namespace carrel::config
