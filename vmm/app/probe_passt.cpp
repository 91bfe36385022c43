#include "vmm/app/probe_passt.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>

#include "devices/backends/passt.h"
#include "vmm/base/clock.h"

namespace carrel::app {
namespace {

constexpr Nanoseconds kPatience = kSecond;
constexpr size_t kWordsKept = 1024;

// Who has 192.0.2.1? Behind its length, as passt wants it: Ethernet and ARP (RFC 826).
constexpr std::array<uint8_t, 4 + 42> kQuestion = {
    0,    0,    0,    42,                                          // the frame's length
    0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2,   0, 0, 0, 0, 1, 8, 6,  // from 02:…:01 to all: ARP
    0,    1,    8,    0,    6,    4,    0,   1,                    // Ethernet, IPv4, a request
    2,    0,    0,    0,    0,    1,    192, 0, 2, 2, 0, 0, 0, 0, 0, 0, 192, 0, 2, 1,
};

// Its own words, the last line.
std::string last_line(int fd) {
    std::array<char, kWordsKept> words{};
    const ssize_t got = ::read(fd, words.data(), words.size());
    std::string text(words.data(), got > 0 ? static_cast<size_t>(got) : 0);
    while (!text.empty() && text.back() == '\n') text.pop_back();
    return text.substr(text.find_last_of('\n') + 1);
}

void ask(PasstService& service, Child& child, int socket, int words) {
    (void)::send(socket, kQuestion.data(), kQuestion.size(), MSG_NOSIGNAL);
    pollfd answer{socket, POLLIN, 0};
    const int ready = ::poll(&answer, 1, static_cast<int>(kPatience / kMillisecond));
    uint8_t byte = 0;
    service.answered = ready == 1 && ::recv(socket, &byte, 1, MSG_DONTWAIT) == 1;
    if (service.answered) return;
    // The socket ends with it, maybe a moment before.
    pollfd end{child.pidfd(), POLLIN, 0};
    const bool ended = ready == 1 && ::poll(&end, 1, static_cast<int>(kPatience / kMillisecond)) == 1;
    service.trouble = ended ? child.ended().value_or("ended") : "doesn't answer";
    if (const std::string said = last_line(words); !said.empty()) service.trouble += ": " + said;
}

}  // namespace

PasstService try_passt(Spawner& spawner) {
    PasstService service;
    service.path = find_in_path("passt");
    if (!service.path) return service;
    std::array<int, 2> ends{}, pipe{};
    if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()) != 0) return service;
    const Fd ours(ends[0]);
    Fd theirs(ends[1]);
    if (::pipe2(pipe.data(), O_CLOEXEC | O_NONBLOCK) != 0) return service;
    const Fd words(pipe[0]);
    Fd their_words(pipe[1]);
    const std::array<Inherited, 2> inherited{{{theirs.get(), kPasstSocket}, {their_words.get(), 2}}};
    auto child = spawner.spawn(passt_command(PasstOptions{1500, {}}), inherited);
    theirs.reset();
    their_words.reset();
    if (child.ok()) {
        ask(service, *child, ours.get(), words.get());
    } else {
        service.trouble = child.error().what;
    }
    return service;
}

Finding judge_passt(const PasstService& service) {
    if (service.answered) {
        return {
            "passt", FindingState::kOk, *service.path + " answers: --net user works, without any rights", {}};
    }
    if (!service.path) {
        return {"passt",
                FindingState::kInfo,
                "passt isn't installed: no --net user, the network that needs no rights",
                {"sudo apt install passt"}};
    }
    return {
        "passt",
        FindingState::kWarn,
        *service.path + " is there, but " + service.trouble + ": no --net user",
        {"see what it says: passt --foreground",
         "it wants an interface with a route out, user namespaces (sysctl user.max_user_namespaces) and a "
         "user named nobody"}};
}

}  // namespace carrel::app
