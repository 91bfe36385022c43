#include "vmm/app/host_files.h"

#include <fcntl.h>

#include <algorithm>
#include <charconv>

#include "vmm/model/gpa.h"

namespace carrel::app {
namespace {

constexpr size_t kMostText = 256 * kKiB;

bool word_character(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}

}  // namespace

std::optional<std::string> read_text(Opener& opener, const std::string& path) {
    const auto fd = opener.open(path, O_RDONLY);
    if (!fd.ok()) return std::nullopt;
    std::string text;
    char piece[4096];
    ssize_t size = 0;
    while (text.size() < kMostText && (size = ::read(fd->get(), piece, sizeof piece)) > 0) {
        text.append(piece, static_cast<size_t>(size));
    }
    if (size < 0) return std::nullopt;
    return text;
}

std::optional<std::string> read_line(Opener& opener, const std::string& path) {
    auto text = read_text(opener, path);
    if (text) text->resize(std::min(text->find('\n'), text->size()));
    return text;
}

std::optional<uint64_t> read_number(Opener& opener, const std::string& path) {
    const auto line = read_line(opener, path);
    return line ? to_number(*line) : std::nullopt;
}

bool has_word(std::string_view text, std::string_view word) {
    for (size_t at = text.find(word); at != std::string_view::npos; at = text.find(word, at + 1)) {
        const bool begins = at == 0 || !word_character(text[at - 1]);
        const size_t end = at + word.size();
        if (begins && (end == text.size() || !word_character(text[end]))) return true;
    }
    return false;
}

std::optional<std::string> value_of(std::string_view text, std::string_view key) {
    while (!text.empty()) {
        const size_t end = std::min(text.find('\n'), text.size());
        const std::string_view line = text.substr(0, end);
        if (line.substr(0, key.size()) == key) {
            const size_t value = line.find_first_not_of(" \t:", key.size());
            return std::string(value == std::string_view::npos ? std::string_view{} : line.substr(value));
        }
        text.remove_prefix(std::min(end + 1, text.size()));
    }
    return std::nullopt;
}

std::optional<uint64_t> to_number(std::string_view text) {
    uint64_t value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc{} || end == text.data()) return std::nullopt;
    return value;
}

}  // namespace carrel::app
