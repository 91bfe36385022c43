// What a person may say about one device: plain data, and how it is written. Nothing here opens a file.
#pragma once

#include <string>
#include <vector>

#include "vmm/base/result.h"

namespace carrel {

// One disk: a raw image.
struct DiskConfig {
    std::string path;
    bool read_only = false;
    std::string id;  // what the guest reads as its serial number; empty: the file's name
    bool operator==(const DiskConfig&) const = default;
};

// "A,b,,c" as words: A and "b,c"; a comma inside a word is written twice. At least one word, which may be
// empty.
std::vector<std::string> split_words(const std::string& text);

// Each checked by itself; the error names the key as `carrel run` spells it.
Result<DiskConfig> parse_disk(const std::string& text);  // FILE[,ro][,id=NAME]

}  // namespace carrel
