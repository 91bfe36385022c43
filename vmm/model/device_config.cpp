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

Result<DiskConfig> parse_disk(const std::string& text) {
    const std::vector<std::string> words = split_words(text);
    DiskConfig disk;
    disk.path = words.front();
    if (disk.path.empty())
        return usage_error("--disk: '" + text + "' names no file", "write FILE[,ro][,id=NAME]");
    constexpr std::string_view kId = "id=";
    for (size_t i = 1; i < words.size(); ++i) {
        if (words[i] == "ro")
            disk.read_only = true;
        else if (words[i].starts_with(kId))
            disk.id = words[i].substr(kId.size());
        else
            return usage_error("--disk: '" + words[i] + "' is neither ro nor id=NAME",
                               "write FILE[,ro][,id=NAME]; a comma in a file's name twice");
    }
    constexpr size_t kLongestId = 20;  // VIRTIO 1.3, 5.2.6
    if (disk.id.size() > kLongestId)
        return usage_error("--disk: id=" + disk.id + " is longer than 20 characters");
    return disk;
}

}  // namespace carrel
