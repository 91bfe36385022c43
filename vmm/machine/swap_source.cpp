#include "vmm/machine/swap_source.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <string_view>

namespace carrel {
namespace {

constexpr std::string_view kMark = "carrel's swap file\n";
static_assert(kMark.size() <= SwapFile::kStart);

// Nobody else's: it is empty, or one of ours that was left over.
Result<void> check(const Fd& fd, const std::string& path) {
    struct stat status {};
    if (::fstat(fd.get(), &status) != 0 || !S_ISREG(status.st_mode))
        return usage_error(fmt::format("--swap: {} isn't a file", path), "name a file");
    if (status.st_size == 0) return {};
    std::array<char, kMark.size()> start{};
    const bool whole = ::pread(fd.get(), start.data(), start.size(), 0) == static_cast<ssize_t>(start.size());
    if (whole && std::string_view(start.data(), start.size()) == kMark) return {};
    return usage_error(fmt::format("--swap: {} isn't empty, and isn't a swap file of carrel's", path),
                       "name a file that isn't there yet");
}

Result<void> begin(const Fd& fd, const std::string& path) {
    if (::ftruncate(fd.get(), 0) == 0 &&
        ::pwrite(fd.get(), kMark.data(), kMark.size(), 0) == static_cast<ssize_t>(kMark.size()))
        return {};
    return os_error(errno, fmt::format("--swap: cannot write to {}", path));
}

}  // namespace

Result<SwapSource> SwapSource::open(Opener& opener, const SwapConfig& config, uint64_t memory) {
    const std::string& path = config.path;
    auto fd = opener.open(path, O_RDWR | O_CREAT | O_NONBLOCK | O_NOCTTY, 0600);
    if (!fd.ok()) return usage_error("--swap: " + fd.error().what, "name a file that you may write");
    TRY_ASSIGN(ImageLock lock, ImageLock::take(opener, *fd, path, false, "--swap",
                                               "stop the other one, or name another file"));
    TRY(check(*fd, path));
    TRY(begin(*fd, path));
    const uint64_t size = config.size == 0 ? memory : std::min(config.size, memory);
    return SwapSource(opener, path, std::move(*fd), std::move(lock), size);
}

SwapSource::SwapSource(Opener& opener, std::string path, Fd fd, ImageLock lock, uint64_t size)
    : opener_(&opener), path_(std::move(path)), fd_(std::move(fd)), lock_(std::move(lock)), size_(size) {}

SwapSource& SwapSource::operator=(SwapSource&& other) noexcept {
    close();
    opener_ = other.opener_;
    path_ = std::move(other.path_);
    fd_ = std::move(other.fd_);
    lock_ = std::move(other.lock_);
    size_ = other.size_;
    return *this;
}

Result<SwapFile> SwapSource::file() const {
    Fd another(::fcntl(fd_.get(), F_DUPFD_CLOEXEC, 0));
    if (!another.valid()) return os_error(errno, "--swap: cannot use " + path_);
    return SwapFile(std::move(another), size_);
}

// Where it can't be removed, at least nothing of the guest stays in it.
void SwapSource::close() {
    if (!fd_.valid()) return;
    (void)!::ftruncate(fd_.get(), 0);
    opener_->remove(path_);
    lock_ = {};
    fd_.reset();
}

}  // namespace carrel
