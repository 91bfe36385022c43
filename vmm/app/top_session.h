// `carrel top` on a terminal: the page, drawn anew when time has passed, the window changed, or a key was
// pressed. The terminal is as it was on every way out that a process can take itself.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "devices/backends/terminal.h"
#include "vmm/app/top_keys.h"
#include "vmm/app/top_page.h"
#include "vmm/base/clock.h"
#include "vmm/base/fd.h"
#include "vmm/base/log.h"

namespace carrel::app {

// Asks the host; may wait for it, within a bounded time.
using TopSource = std::function<Result<TopReading>()>;

// On main, once.
class TopSession {
  public:
    // `input` and `output` are terminals.
    static Result<std::unique_ptr<TopSession>> open(TopSource source, Nanoseconds interval, int input,
                                                    int output);
    TopSession(TopSource source, Nanoseconds interval, int input, int output);  // use open()
    ~TopSession();
    TopSession(const TopSession&) = delete;
    TopSession& operator=(const TopSession&) = delete;

    // Until someone quits, a signal asks for the end, or the host no longer answers, which is the error.
    Result<void> run();

  private:
    Result<void> set_up();
    Result<void> refresh();
    void draw();
    void show_screen(bool ours);
    void write(const std::string& text) const;
    Result<void> wait_until(Nanoseconds deadline);
    void on_signals();
    void on_input();
    void on_key(TopKey key);
    void suspend();
    void resume();

    const TopSource source_;
    const Nanoseconds interval_;
    const int input_, output_;
    SystemClock clock_;
    Log log_;
    std::unique_ptr<Terminal> terminal_;
    Fd signals_;
    std::optional<TopReading> last_;
    TopSnapshot shown_;
    size_t first_ = 0;  // the guest at the top
    std::string typed_;
    bool ours_ = false;  // the screen shows our page
    bool ended_ = false;
};

}  // namespace carrel::app
