// How a child comes to be here: clone(CLONE_VM | CLONE_VFORK). It runs in our memory, on a stack of its own,
// until it executes its program, and the calling thread stands still so long. fork() would copy the page
// tables of every guest, and each page that a guest writes later would fault; posix_spawn() can't say that
// the child is to die with us. What the child does before it executes is system calls only: no lock of ours
// may be taken there, since a thread that holds it doesn't stand still. Failing, it leaves its reason in our
// memory.
#include "vmm/base/spawner.h"

#include <fcntl.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <csignal>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <string_view>

#include "vmm/base/check.h"

namespace carrel {
namespace {

constexpr size_t kStackSize = size_t{64} * 1024;
constexpr int kStandardStreams = 3;

// What the child is told, and what it tells.
struct Start {
    const char* path = nullptr;
    std::vector<char*> arguments;        // with a null at the end
    std::vector<Inherited> descriptors;  // by number in the child, ascending
    std::vector<int> copies;             // of these, out of the way of those numbers
    pid_t parent = 0;
    int error = 0;  // errno, and what it comes from
    const char* step = "";
};

int failed(Start& start, const char* step) {
    start.error = errno;
    start.step = step;
    return 1;
}

// Copies first: a number that one gets may be another's.
bool arrange_descriptors(Start& start) {
    const int above = start.descriptors.back().theirs + 1;
    for (size_t i = 0; i < start.descriptors.size(); ++i) {
        start.copies[i] = ::fcntl(start.descriptors[i].ours, F_DUPFD_CLOEXEC, above);
        if (start.copies[i] < 0) return false;
    }
    unsigned next = 0;
    for (size_t i = 0; i < start.descriptors.size(); ++i) {
        const auto number = static_cast<unsigned>(start.descriptors[i].theirs);
        if (number > next && ::close_range(next, number - 1, 0) != 0) return false;
        if (::dup2(start.copies[i], start.descriptors[i].theirs) < 0) return false;
        next = number + 1;
    }
    return ::close_range(next, UINT_MAX, 0) == 0;
}

// Ours ignores SIGPIPE and blocks most others; both would outlive exec.
void reset_signals() {
    struct sigaction action {};
    action.sa_handler = SIG_DFL;
    for (int signal = 1; signal < NSIG; ++signal) ::sigaction(signal, &action, nullptr);
    sigset_t none;
    ::sigemptyset(&none);
    ::sigprocmask(SIG_SETMASK, &none, nullptr);
}

int child_main(void* argument) {
    Start& start = *static_cast<Start*>(argument);
    if (::prctl(PR_SET_PDEATHSIG, SIGKILL) != 0) return failed(start, "PR_SET_PDEATHSIG");
    if (::getppid() != start.parent) return 1;  // we have ended before the line above
    ::setsid();
    if (!arrange_descriptors(start)) return failed(start, "its descriptors");
    reset_signals();
    ::execv(start.path, start.arguments.data());
    return failed(start, start.path);
}

// The child has our handlers until it has reset them: none may run in it.
class SignalsBlocked {
  public:
    SignalsBlocked() {
        sigset_t all;
        ::sigfillset(&all);
        ::pthread_sigmask(SIG_SETMASK, &all, &before_);
    }
    ~SignalsBlocked() { ::pthread_sigmask(SIG_SETMASK, &before_, nullptr); }
    SignalsBlocked(const SignalsBlocked&) = delete;
    SignalsBlocked& operator=(const SignalsBlocked&) = delete;

  private:
    sigset_t before_{};
};

Result<Child> clone_child(Start& start) {
    std::vector<std::byte> stack(kStackSize);
    const auto top = reinterpret_cast<uintptr_t>(stack.data() + stack.size()) & ~uintptr_t{15};
    int pidfd = -1;
    const SignalsBlocked blocked;
    const int pid = ::clone(child_main, reinterpret_cast<void*>(top),
                            CLONE_VM | CLONE_VFORK | CLONE_PIDFD | SIGCHLD, &start, &pidfd);
    if (pid < 0) return os_error(errno, "no process can be started");
    return Child(pid, Fd(pidfd));
}

std::vector<Inherited> with_standard_streams(std::span<const Inherited> inherited, int null) {
    std::vector<Inherited> all(inherited.begin(), inherited.end());
    for (int stream = 0; stream < kStandardStreams; ++stream) {
        if (std::ranges::find(all, stream, &Inherited::theirs) == all.end()) all.push_back({null, stream});
    }
    std::ranges::sort(all, {}, &Inherited::theirs);
    return all;
}

std::string how(const siginfo_t& info) {
    if (info.si_code == CLD_EXITED) return "exited with status " + std::to_string(info.si_status);
    const char* name = ::sigdescr_np(info.si_status);
    return "was ended by signal " + std::to_string(info.si_status) +
           (name != nullptr ? std::string(" (") + name + ")" : "");
}

}  // namespace

Child& Child::operator=(Child&& other) noexcept {
    std::swap(pid_, other.pid_);
    std::swap(pidfd_, other.pidfd_);
    return *this;
}

std::optional<std::string> Child::ended() {
    if (!pidfd_.valid()) return std::nullopt;
    siginfo_t info{};
    const int waited = ::waitid(P_PIDFD, static_cast<id_t>(pidfd_.get()), &info, WEXITED | WNOHANG);
    if (waited == 0 && info.si_pid == 0) return std::nullopt;
    pidfd_.reset();
    // A parent of ours that ignores SIGCHLD makes the kernel reap our children.
    return waited == 0 ? how(info) : "ended";
}

void Child::kill() {
    // Not by its wrapper: Debian 12's header declares that as C++.
    if (pidfd_.valid()) (void)::syscall(SYS_pidfd_send_signal, pidfd_.get(), SIGKILL, nullptr, 0);
}

void Child::end() {
    if (!pidfd_.valid()) return;
    kill();
    siginfo_t info{};
    while (::waitid(P_PIDFD, static_cast<id_t>(pidfd_.get()), &info, WEXITED) != 0 && errno == EINTR) {
    }
    pidfd_.reset();
}

std::optional<std::string> find_in_path(const std::string& command) {
    if (command.find('/') != std::string::npos) return command;
    const char* path = ::getenv("PATH");
    std::string_view rest = path != nullptr ? path : "/usr/bin:/bin";
    while (!rest.empty()) {
        const std::string_view folder = rest.substr(0, rest.find(':'));
        rest.remove_prefix(std::min(rest.size(), folder.size() + 1));
        if (folder.empty()) continue;  // the current folder, by an old custom: nobody means it
        std::string candidate = std::string(folder) + "/" + command;
        if (::access(candidate.c_str(), X_OK) == 0) return candidate;
    }
    return std::nullopt;
}

Result<Child> DirectSpawner::spawn(const std::vector<std::string>& command,
                                   std::span<const Inherited> inherited) {
    CHECK(!command.empty());
    const auto path = find_in_path(command.front());
    if (!path) return host_error("cannot start " + command.front() + ": it is in no folder of PATH");
    Fd null(::open("/dev/null", O_RDWR | O_CLOEXEC));
    if (!null.valid()) return os_error(errno, "cannot open /dev/null");

    Start start;
    start.path = path->c_str();
    for (const std::string& word : command) start.arguments.push_back(const_cast<char*>(word.c_str()));
    start.arguments.push_back(nullptr);
    start.descriptors = with_standard_streams(inherited, null.get());
    start.copies.resize(start.descriptors.size());
    start.parent = ::getpid();
    TRY_ASSIGN(Child child, clone_child(start));
    if (start.error != 0) {
        return os_error(start.error, "cannot start " + command.front() + " (" + start.step + ")");
    }
    return child;
}

}  // namespace carrel
