#include "vmm/model/device_config.h"

#include <charconv>

namespace carrel {

std::vector<std::string> split_words(const std::string& text) {
    std::vector<std::string> words(1);
    for (size_t i = 0; i < text.size(); ++i) {
        const bool twice = text[i] == ',' && i + 1 < text.size() && text[i + 1] == ',';
        if (text[i] != ',' || twice)
            words.back() += text[i];
        else
            words.emplace_back();
        if (twice) ++i;
    }
    return words;
}

std::string escaped_word(std::string_view word) {
    std::string text;
    for (const char letter : word) text.append(letter == ',' ? 2 : 1, letter);
    return text;
}

std::optional<std::string> value_of(const std::string& word, std::string_view key) {
    if (!word.starts_with(key) || word.size() <= key.size() || word[key.size()] != '=') return std::nullopt;
    return word.substr(key.size() + 1);
}

std::optional<unsigned> whole_number(std::string_view text, int base) {
    unsigned value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, base);
    if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
    return value;
}

}  // namespace carrel
