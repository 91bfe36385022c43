// Which files can be a disk, and who may have one at the same time.
#include "devices/backends/disk_image.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/backends/disk_rig.h"
#include "tests/catch.h"

using namespace carrel;
using namespace carrel::test;

namespace {

// The words of a refusal: a sentence that names the option and the file.
std::string refusal(const std::string& path, bool read_only) {
    const auto image = open_image(path, read_only);
    if (image.ok()) return "";
    CHECK(image.error().fault == Fault::kUsage);
    CHECK(image.error().what.starts_with("--disk: "));
    CHECK(image.error().what.find(path) != std::string::npos);
    CHECK_FALSE(image.error().advice.empty());
    return image.error().what;
}

}  // namespace

TEST_CASE("disk image: whole sectors of 512, the rest is left out") {
    const Folder folder;
    const auto image = open_image(folder.file("odd", 3 * 512 + 511));
    REQUIRE(image.ok());
    CHECK(image.value().bytes == 3 * 512);
    CHECK(image.value().block_size == 512);
    CHECK_FALSE(image.value().read_only);
    CHECK((::fcntl(image.value().fd.get(), F_GETFD) & FD_CLOEXEC) != 0);
}

TEST_CASE("disk image: what can't be a disk is refused in a sentence, and nothing is waited for") {
    const Folder folder;
    const bool read_only = GENERATE(false, true);
    const std::string fifo = folder.path + "/fifo";
    REQUIRE(::mkfifo(fifo.c_str(), 0600) == 0);
    CHECK(refusal(fifo, read_only) != "");
    CHECK(refusal(folder.path, read_only) != "");
    CHECK(refusal(folder.file("empty", 0), read_only) != "");
    CHECK(refusal(folder.file("small", 511), read_only) != "");
    CHECK(refusal(folder.path + "/none", read_only) != "");
    CHECK(refusal("/dev/null", read_only) != "");
    CHECK(refusal("", read_only) != "");
}

TEST_CASE("disk image: one writer, or any number of readers, in one process, too") {
    const Folder folder;
    const std::string path = folder.file("disk", 4096);
    const auto is_refused = [&](bool read_only) {
        return refusal(path, read_only).find("in use by another guest or disk of this process") !=
               std::string::npos;
    };
    {
        const auto writer = open_image(path);
        REQUIRE(writer.ok());
        CHECK(is_refused(false));
        CHECK(is_refused(true));
        // Another name for the same file.
        const std::string link = folder.path + "/link";
        REQUIRE(::symlink(path.c_str(), link.c_str()) == 0);
        CHECK_FALSE(open_image(link).ok());
        // A descriptor that somebody else closes doesn't take the lock along, as POSIX locks would.
        { const Fd other(::open(path.c_str(), O_RDWR | O_CLOEXEC)); }
        CHECK(is_refused(false));
    }
    {
        const auto first = open_image(path, true);
        const auto second = open_image(path, true);
        CHECK(first.ok());
        CHECK(second.ok());
        CHECK(is_refused(false));
    }
    CHECK(open_image(path).ok());
}
