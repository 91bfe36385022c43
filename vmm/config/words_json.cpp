#include "vmm/config/words_json.h"

#include <algorithm>

#include "vmm/config/scalar_text.h"
#include "vmm/model/device_config.h"

namespace carrel::config {
namespace {

const Word* find_word(std::span<const Word> words, std::string_view name) {
    const auto found = std::ranges::find_if(words, [name](const Word& word) { return name == word.name; });
    return found == words.end() ? nullptr : &*found;
}

std::string first_names(std::span<const Word> words) {
    std::string names;
    for (const Word& word : words)
        if (word.role != Word::Role::kOption)
            names += fmt::format("{}{}", names.empty() ? "" : ", ", word.name);
    return names;
}

Result<void> check_names(const KeyInfo& key, const Json& object, const Place& place) {
    std::vector<std::string_view> known;
    for (const Word& word : key.words) known.emplace_back(word.name);
    size_t firsts = 0;
    for (const auto& [name, value] : object.items()) {
        const Word* const word = find_word(key.words, name);
        if (word == nullptr) return place.refused("unknown key '" + name + "'" + suggestion(name, known));
        if (word->role != Word::Role::kOption && value != false) ++firsts;
    }
    if (firsts == 1) return {};
    return place.refused(firsts == 0 ? "it doesn't say what it is" : "it says twice what it is",
                         "write one of the keys " + first_names(key.words));
}

// "ro", "id=x", or nothing where a flag is false.
Result<std::string> word_text(const Word& word, const Json& value, const Place& place) {
    const bool flag = word.type == KeyType::kFlag || (word.bare && value.is_boolean());
    if (flag && value.is_boolean()) return value.get<bool>() ? std::string(word.name) : std::string();
    TRY_ASSIGN(const std::string text, scalar_text(word.type, word.form, value, place));
    const std::string escaped = escaped_word(text);
    return word.role == Word::Role::kFirst ? escaped : fmt::format("{}={}", word.name, escaped);
}

Result<void> append_words(std::string& text, const Word& word, const Json& value, const Place& place) {
    if (word.repeated && value.is_array()) {
        for (size_t i = 0; i < value.size(); ++i) {
            TRY_ASSIGN(const std::string one, word_text(word, value[i], place.item(i)));
            text += "," + one;
        }
        return {};
    }
    TRY_ASSIGN(const std::string one, word_text(word, value, place));
    if (!one.empty()) text += (text.empty() ? "" : ",") + one;
    return {};
}

Json word_json(const Word& word, const std::string& text) {
    return scalar_json(word.type, text);
}

void add_word(Json& object, std::span<const Word> words, const std::string& text) {
    const size_t equals = text.find('=');
    const Word* const word = find_word(words, std::string_view(text).substr(0, equals));
    CHECK(word != nullptr);  // our own text
    if (equals == text.npos)
        object[word->name] = true;
    else if (word->repeated)
        object[word->name].push_back(word_json(*word, text.substr(equals + 1)));
    else
        object[word->name] = word_json(*word, text.substr(equals + 1));
}

}  // namespace

Result<std::string> words_text(const KeyInfo& key, const Json& value, const Place& place) {
    if (!value.is_object())
        return place.refused(fmt::format("{} stands there", kind_of(value)),
                             fmt::format("write {}", wanted(KeyType::kWords)));
    TRY(check_names(key, value, place));
    std::string text;
    // The table's order: what is first in the text is first there.
    for (const Word& word : key.words) {
        const auto found = value.find(word.name);
        if (found != value.end()) TRY(append_words(text, word, *found, place.key(word.name)));
    }
    return text;
}

Json words_json(const KeyInfo& key, const std::string& text) {
    const std::vector<std::string> words = split_words(text);
    Json object = Json::object();
    const Word& first = key.words.front();
    if (first.role == Word::Role::kFirst)
        object[first.name] = word_json(first, words.front());
    else
        add_word(object, key.words, words.front());
    for (size_t i = 1; i < words.size(); ++i) add_word(object, key.words, words[i]);
    return object;
}

}  // namespace carrel::config
