// Files that are disks, for the tests of the disks' backends.
#pragma once

#include <fcntl.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <string>

#include "devices/backends/disk_image.h"

namespace carrel::test {

// Gone at its end.
struct Folder {
    explicit Folder(const char* where = "/tmp") {
        std::string name = std::string(where) + "/carrel-disk-XXXXXX";
        if (::mkdtemp(name.data()) == nullptr) std::abort();
        path = name;
    }
    ~Folder() { std::filesystem::remove_all(path); }
    Folder(const Folder&) = delete;
    Folder& operator=(const Folder&) = delete;
    std::string file(const char* name, off_t bytes) const {
        const std::string full = path + "/" + name;
        const Fd fd(::open(full.c_str(), O_CREAT | O_RDWR | O_CLOEXEC, 0600));
        if (::ftruncate(fd.get(), bytes) != 0) std::abort();
        return full;
    }
    std::string path;
};

inline Result<DiskImage> open_image(const std::string& path, bool read_only = false) {
    DirectOpener opener;
    DiskConfig config;
    config.path = path;
    config.read_only = read_only;
    return DiskImage::open(opener, config, "--disk");
}

inline Result<DiskImage> open_image(const DiskConfig& config) {
    DirectOpener opener;
    return DiskImage::open(opener, config, "--disk");
}

}  // namespace carrel::test
