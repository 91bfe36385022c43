// The files of a configuration: one, or those of a folder.
#pragma once

#include <string>
#include <vector>

#include "vmm/base/opener.h"

namespace carrel::config {

inline constexpr size_t kMostBytes = size_t{1} << 20;  // of one file

struct ConfigFile {
    std::string path;
    std::string text;
};

// Of a folder: those called *.json, by name, without hidden ones. A bounded number of bounded size.
Result<std::vector<ConfigFile>> read_config_files(Opener& opener, const std::string& path);

}  // namespace carrel::config
