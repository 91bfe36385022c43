// Spawner: from a command to a process of its own (DESIGN.md section 10). See opener.h.
#pragma once

#include <sys/types.h>

#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "vmm/base/fd.h"
#include "vmm/base/result.h"

namespace carrel {

// A process that lives no longer than this. Move-only. One thread at a time.
class Child {
  public:
    Child() = default;
    Child(pid_t pid, Fd pidfd) : pid_(pid), pidfd_(std::move(pidfd)) {}
    Child(Child&& other) noexcept = default;
    Child& operator=(Child&& other) noexcept;
    Child(const Child&) = delete;
    Child& operator=(const Child&) = delete;
    ~Child() { end(); }

    pid_t pid() const { return pid_; }
    int pidfd() const { return pidfd_.get(); }  // readable once it has ended
    // How it ended, for messages: "exited with status 1". Nothing while it runs. Once.
    std::optional<std::string> ended();
    // SIGKILL; ended() follows.
    void kill();

  private:
    void end();

    pid_t pid_ = -1;
    Fd pidfd_;  // closed: nothing to wait for
};

// A descriptor of ours and its number in the child.
struct Inherited {
    int ours;
    int theirs;
};

class Spawner {
  public:
    virtual ~Spawner() = default;
    // Runs command[0], looked up in PATH where it holds no '/'. It has the descriptors of `inherited` and no
    // others; 0, 1 and 2 are /dev/null where they aren't among them. It is in a session of its own, so that
    // no key of our terminal reaches it. The error says why the command couldn't be started.
    //
    // The child is killed when the calling thread ends, however that ends: call from one that lives on (main,
    // io). The kernel forgets this for a child that changes its user or gains rights by the file's: such a
    // one needs something else by which it finds out, say a socket whose other end is ours.
    //
    // Any thread.
    virtual Result<Child> spawn(const std::vector<std::string>& command,
                                std::span<const Inherited> inherited) = 0;
};

class DirectSpawner final : public Spawner {
  public:
    Result<Child> spawn(const std::vector<std::string>& command,
                        std::span<const Inherited> inherited) override;
};

// Where PATH has it. Nothing: nowhere.
std::optional<std::string> find_in_path(const std::string& command);

}  // namespace carrel
