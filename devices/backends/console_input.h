// ConsoleInput: from a descriptor of the host to a guest's console.
//
//   StreamFd -> [EscapeKeys, terminals only] -> pending (bounded) -> ByteReceiver, as much as it has room for
//
// A guest that doesn't read stops the reading of the source: whoever pastes a gigabyte waits. Only a terminal
// whose guest takes nothing at all is read on, and what is typed then is thrown away, because Ctrl-A x must
// still end that guest.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include "devices/backends/escape_keys.h"
#include "devices/backends/loop_signal.h"
#include "devices/backends/terminal.h"
#include "vmm/base/byte_sink.h"
#include "vmm/base/clock.h"
#include "vmm/base/event_loop.h"
#include "vmm/base/stream_fd.h"

namespace carrel {

// All on the loop's thread, which must block SIGTTIN (Thread does), but what says otherwise.
class ConsoleInput final : public RoomListener {
  public:
    struct Options {
        Terminal* terminal = nullptr;            // set: escape keys, and no reading in the background
        ByteSink* help = nullptr;                // where Ctrl-A c prints; must outlive this
        std::function<void()> on_end_key;        // Ctrl-A x
        std::function<void()> on_end_of_source;  // end of file, hang-up or a failing descriptor; told once
    };
    // Two limits on what has been read and not yet taken by the guest.
    static constexpr size_t kPendingLimit = 4 * 1024;
    static constexpr size_t kTerminalPendingLimit = 64 * 1024;

    static Result<std::unique_ptr<ConsoleInput>> create(EventLoop& loop, StreamFd source,
                                                        ByteReceiver& receiver, Options options);
    ConsoleInput(EventLoop& loop, StreamFd source, ByteReceiver& receiver, Options options);  // use create()
    ~ConsoleInput() override;  // on the loop's thread, or while the loop doesn't run
    ConsoleInput(const ConsoleInput&) = delete;
    ConsoleInput& operator=(const ConsoleInput&) = delete;

    // Any thread: the guest has room again; SIGCONT came.
    void on_room() override { wake_->raise(); }
    void resume() { continue_->raise(); }

    uint64_t discarded() const { return discarded_; }  // typed while the guest took nothing

  private:
    void pump();
    bool may_read() const;
    void feed();
    bool read_once();
    void read_failed(int error);
    void accept(std::span<const std::byte> bytes);
    void act(EscapeKeys::Action action);
    void watch();
    void stop_watching();
    void wait_for_guest();
    void check_foreground();
    void wait_for_foreground();
    void after(Nanoseconds delay, std::function<void()> task);
    void end();

    size_t pending() const { return pending_.size() - fed_; }
    size_t limit() const { return options_.terminal != nullptr ? kTerminalPendingLimit : kPendingLimit; }

    EventLoop& loop_;
    StreamFd source_;
    ByteReceiver& receiver_;
    const Options options_;
    EscapeKeys keys_;
    std::unique_ptr<LoopSignal> wake_;
    std::unique_ptr<LoopSignal> continue_;

    std::vector<std::byte> pending_;
    size_t fed_ = 0;  // of pending_, from its front
    bool watching_ = false;
    bool background_ = false;  // the terminal is another job's for now
    bool ended_ = false;
    bool stuck_ = false;  // the guest takes nothing: read for Ctrl-A only
    uint64_t timer_ = 0;  // 0: none
    uint64_t discarded_ = 0;
};

}  // namespace carrel
