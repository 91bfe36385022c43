#include "vmm/config/config_files.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <memory>
#include <string_view>

namespace carrel::config {
namespace {

constexpr size_t kMostFiles = 4096;

struct CloseFolder {
    void operator()(DIR* folder) const { ::closedir(folder); }
};

// What is missing or can't be read is the fault of who named it.
Error of_user(Error error) {
    error.fault = Fault::kUsage;
    return error;
}

Result<std::string> read_all(const Fd& fd, const std::string& path) {
    std::string text(kMostBytes + 1, '\0');
    size_t size = 0;
    while (size < text.size()) {
        const ssize_t count = ::read(fd.get(), text.data() + size, text.size() - size);
        if (count < 0 && errno == EINTR) continue;
        if (count < 0) return os_error(errno, "cannot read " + path);
        if (count == 0) break;
        size += static_cast<size_t>(count);
    }
    if (size > kMostBytes) return usage_error(path + " is longer than 1 MiB", "divide it into several files");
    text.resize(size);
    return text;
}

Result<std::vector<std::string>> names_in(Fd fd, const std::string& path) {
    const std::unique_ptr<DIR, CloseFolder> folder(::fdopendir(fd.get()));
    if (!folder) return os_error(errno, "cannot read the folder " + path);
    (void)fd.release();  // the folder's now
    std::vector<std::string> names;
    errno = 0;
    while (const dirent* const entry = ::readdir(folder.get())) {
        const std::string_view name = entry->d_name;
        if (name.starts_with('.') || !name.ends_with(".json")) continue;
        if (names.size() == kMostFiles) return usage_error(path + " has more than 4096 files *.json");
        names.emplace_back(name);
    }
    if (errno != 0) return os_error(errno, "cannot read the folder " + path);
    if (names.empty()) return usage_error(path + " has no file *.json", "put one file a guest there");
    std::ranges::sort(names);
    return names;
}

// A FIFO or a device isn't waited for.
Result<Fd> open_it(Opener& opener, const std::string& path, struct stat& status) {
    auto fd = opener.open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY);
    if (!fd.ok()) return of_user(fd.error());
    if (::fstat(fd->get(), &status) != 0) return os_error(errno, "cannot examine " + path);
    if (S_ISREG(status.st_mode) || S_ISDIR(status.st_mode)) return fd;
    return usage_error(path + " is neither a file nor a folder", "name one with the guests' description");
}

}  // namespace

Result<std::vector<ConfigFile>> read_config_files(Opener& opener, const std::string& path) {
    struct stat status {};
    TRY_ASSIGN(Fd fd, open_it(opener, path, status));
    std::vector<ConfigFile> files;
    if (S_ISREG(status.st_mode)) {
        TRY_ASSIGN(std::string text, read_all(fd, path));
        files.push_back({path, std::move(text)});
        return files;
    }
    TRY_ASSIGN(const auto names, names_in(std::move(fd), path));
    for (const std::string& name : names) {
        const std::string inside = path + (path.ends_with('/') ? "" : "/") + name;
        TRY_ASSIGN(const Fd file, open_it(opener, inside, status));
        if (S_ISDIR(status.st_mode)) return usage_error(inside + " is a folder, not a file");
        TRY_ASSIGN(std::string text, read_all(file, inside));
        files.push_back({inside, std::move(text)});
    }
    return files;
}

}  // namespace carrel::config
