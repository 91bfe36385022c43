// Terminal: the user's terminal, raw while the guest runs, as it was on every way out.
#pragma once

#include <termios.h>

#include <cstdint>
#include <memory>
#include <optional>

#include "devices/backends/window_size.h"
#include "vmm/base/fd.h"
#include "vmm/base/log.h"
#include "vmm/base/mutex.h"
#include "vmm/base/result.h"

namespace carrel {

// In raw mode each key goes to the guest, Ctrl-C and Ctrl-Z among them. While it is raw the settings to
// restore stand in the crash registry, for signal handlers and CHECK. Only the foreground job may change a
// terminal: in the background nothing here touches it, and resume() says so. One object at a time in a
// process.
//
// Any thread. SIGTTOU must be blocked or ignored in the calling thread.
class Terminal {
  public:
    // nullptr when `input` is no terminal: then there are no keys to pass on, and nothing is changed (even
    // where the output is one: it then treats the guest's "\r\n" as it does any program's).
    // `output_is_terminal` false (`carrel run | tee log`): output processing stays on for whoever writes to
    // the terminal at the end of the pipe. Raw from the start if in the foreground.
    static Result<std::unique_ptr<Terminal>> open(int input, bool output_is_terminal, Log& log);
    static bool is_terminal(int fd);

    Terminal(Fd fd, bool output_is_terminal, Log& log);  // use open()
    ~Terminal();                                         // restores
    Terminal(const Terminal&) = delete;
    Terminal& operator=(const Terminal&) = delete;

    // SIGTSTP from outside: suspend(), then kill(getpid(), SIGSTOP). SIGCONT, also after a SIGSTOP that
    // nobody could announce: resume(). True when the terminal is raw now, false in the background: ask again
    // later.
    void suspend() EXCLUDES(mutex_);
    bool resume() EXCLUDES(mutex_);

    bool raw() const EXCLUDES(mutex_);
    // Whether reading is allowed now: this job is the terminal's foreground job, or the terminal isn't the
    // one that controls us.
    bool in_foreground() const;
    std::optional<WindowSize> size() const;  // none when the terminal doesn't know

  private:
    void leave() REQUIRES(mutex_);

    const Fd fd_;
    const bool output_is_terminal_;
    Log& log_;
    mutable Mutex mutex_;
    // As they were when we last took the terminal: before that they are another job's, a shell's line
    // editor's for one.
    termios saved_ GUARDED_BY(mutex_){};
    bool is_raw_ GUARDED_BY(mutex_) = false;
};

}  // namespace carrel
