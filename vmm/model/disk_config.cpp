#include "vmm/model/disk_config.h"

#include <optional>
#include <string_view>

#include "vmm/model/device_config.h"

namespace carrel {
namespace {

constexpr const char* kForm =
    "write FILE[,ro][,id=NAME][,cache=writeback|none|writethrough][,queues=N][,overlay[=FILE]]"
    "[,bps=SIZE][,ops=N][,burst=TIME]; a comma in a file's name twice";
constexpr size_t kLongestId = 20;  // VIRTIO 1.3, 5.2.6

Result<DiskConfig::Cache> parse_cache(const std::string& text) {
    if (text == "writeback") return DiskConfig::Cache::kWriteBack;
    if (text == "none") return DiskConfig::Cache::kNone;
    if (text == "writethrough") return DiskConfig::Cache::kWriteThrough;
    return usage_error("--disk: cache=" + text + " is none of writeback, none and writethrough",
                       "leave it out for writeback");
}

Result<uint16_t> parse_queues(const std::string& text) {
    const auto value = whole_number(text);
    if (value && *value >= 1 && *value <= DiskConfig::kMostQueues) return static_cast<uint16_t>(*value);
    return usage_error(
        "--disk: queues=" + text + " is not between 1 and " + std::to_string(DiskConfig::kMostQueues),
        "write a whole number");
}

Result<void> parse_word(DiskConfig& disk, const std::string& word) {
    TRY_ASSIGN(const bool rate, parse_rate(word, "--disk", disk.rate));
    if (rate) return {};
    if (word == "ro") {
        disk.read_only = true;
    } else if (word == "overlay") {
        disk.overlay = true;
    } else if (const auto path = value_of(word, "overlay")) {
        if (path->empty()) return usage_error("--disk: overlay= names no file", "name one, or write overlay");
        disk.overlay = true;
        disk.overlay_path = *path;
    } else if (const auto id = value_of(word, "id")) {
        disk.id = *id;
        if (id->size() > kLongestId)
            return usage_error("--disk: id=" + *id + " is longer than 20 characters", "give a shorter one");
    } else if (const auto cache = value_of(word, "cache")) {
        TRY_ASSIGN(disk.cache, parse_cache(*cache));
    } else if (const auto queues = value_of(word, "queues")) {
        TRY_ASSIGN(disk.queues, parse_queues(*queues));
    } else {
        return usage_error(
            "--disk: '" + word + "' is none of ro, id=, cache=, queues=, overlay, bps=, ops= and burst=",
            kForm);
    }
    return {};
}

Result<void> check_together(const DiskConfig& disk) {
    if (disk.overlay && disk.read_only)
        return usage_error("--disk: ro and overlay exclude each other", "an overlay is what is written to");
    if (disk.overlay && disk.cache == DiskConfig::Cache::kNone)
        return usage_error("--disk: an overlay is written through the page cache, cache=none can't be had",
                           "leave out one of the two");
    return check_rate(disk.rate, "--disk");
}

}  // namespace

Result<DiskConfig> parse_disk(const std::string& text) {
    const std::vector<std::string> words = split_words(text);
    DiskConfig disk;
    disk.path = words.front();
    if (disk.path.empty()) return usage_error("--disk: '" + text + "' names no file", kForm);
    for (size_t i = 1; i < words.size(); ++i) TRY(parse_word(disk, words[i]));
    TRY(check_together(disk));
    return disk;
}

}  // namespace carrel
