#include "vmm/model/device_config.h"

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

}  // namespace carrel
