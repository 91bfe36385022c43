#include "devices/backends/standard_streams.h"

#include <fcntl.h>
#include <unistd.h>

#include "vmm/base/check.h"

namespace carrel {

Result<void> fill_standard_streams(Opener& opener) {
    for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; ++fd) {
        if (::fcntl(fd, F_GETFD) >= 0) continue;
        TRY_ASSIGN(Fd null, opener.open("/dev/null", O_RDWR));
        // The lowest free number is the one we look for; all below it are open by now. It stays open for
        // good.
        CHECK(null.get() == fd);
        ::fcntl(null.release(), F_SETFD, 0);  // our children have standard streams too
    }
    return {};
}

}  // namespace carrel
