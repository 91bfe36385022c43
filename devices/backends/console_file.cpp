#include "devices/backends/console_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <utility>

namespace carrel {
namespace {

constexpr unsigned kOwnerOnly = 0600;

}  // namespace

Result<StreamFd> open_console_file(Opener& opener, const std::string& path) {
    if (path.empty()) return usage_error("--serial file: needs a path", "write --serial file:PATH");
    auto file = opener.open(path, O_WRONLY | O_CREAT | O_APPEND | O_NOCTTY | O_NONBLOCK, kOwnerOnly);
    if (!file.ok()) {
        Error error = std::move(file).error();
        error.fault = Fault::kUsage;
        error.advice = "--serial file:PATH needs a file that you may write (or a FIFO that is being read)";
        return error;
    }
    return StreamFd::own(std::move(*file));
}

void empty_before_use(int file) {
    struct stat status {};
    if (::fstat(file, &status) == 0 && S_ISREG(status.st_mode)) (void)!::ftruncate(file, 0);
}

}  // namespace carrel
