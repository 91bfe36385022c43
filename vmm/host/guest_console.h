// GuestConsole: one guest's console, wired to what `--serial` names; in a process of many guests nobody sits
// at one's terminal, so there its last 64 KiB are kept for those who attach.
#pragma once

#include <functional>
#include <memory>
#include <optional>

#include "devices/backends/console_input.h"
#include "devices/backends/console_output.h"
#include "devices/backends/pty.h"
#include "devices/backends/tee_sink.h"
#include "devices/backends/terminal.h"
#include "vmm/base/opener.h"
#include "vmm/host/console_transcript.h"
#include "vmm/model/machine_config.h"

namespace carrel {

// A console whose reader, and who types there, are in another process.
struct ConsoleLine {
    std::shared_ptr<ConsoleTranscript> transcript;
    int typed;  // what is typed is read from there; its owner's
};

// Threads: create() and feed() before the io thread runs or on it; terminal() from main.
class GuestConsole {
  public:
    enum class Audience {
        kOwn,      // what `--serial` names, and nobody else
        kAttached  // whoever attaches; a file gets the same
    };
    // `line`: where the audience is, if not here.
    static Result<std::unique_ptr<GuestConsole>> create(const SerialConfig& config, Audience audience,
                                                        const ConsoleLine* line, EventLoop& io,
                                                        Opener& opener, Log& log);

    GuestConsole(EventLoop& io, Log& log) : io_(io), log_(log) {}  // use create()

    // The guest is ready to run: starts to carry input to `receiver`; `on_end_key` is Ctrl-A x.
    Result<void> feed(ByteReceiver& receiver, std::function<void()> on_end_key);

    ByteSink& output();          // the guest's bytes go here
    RoomListener& input_room();  // tell it when the guest takes input again
    // kAttached only; shared with who is attached.
    const std::shared_ptr<ConsoleTranscript>& transcript() const { return transcript_; }
    // Where one who is attached writes what is typed; it goes to `receiver`, always the same. It doesn't
    // block: while the guest takes nothing, it is full. io thread.
    Result<Fd> typing(ByteReceiver& receiver);
    // What the terminal shows; nothing where there is none, or it doesn't know.
    std::optional<WindowSize> window() const { return terminal_ ? terminal_->size() : std::nullopt; }
    Terminal* terminal() { return terminal_.get(); }  // null: none, or before feed()
    // SIGCONT: raw again, and reading again.
    void on_continue();
    // Waits (bounded; `stop_fd` readable ends it) until what the guest wrote is with its reader, says what
    // isn't, and gives the terminal back. io thread stopped.
    void finish(int stop_fd);

  private:
    // `--serial none`, and a console without input.
    class Nowhere final : public ByteSink, public RoomListener {
      public:
        void write(std::span<const std::byte>) override {}
        void on_room() override {}
    };
    // The machine is made before the input exists: passes on once it does.
    class RoomRelay final : public RoomListener {
      public:
        void on_room() override {
            if (input != nullptr) input->on_room();
        }
        ConsoleInput* input = nullptr;
    };
    Result<void> open(const SerialConfig& config, Opener& opener);
    Result<void> open_attached(const SerialConfig& config, const ConsoleLine* line, Opener& opener);
    Result<void> open_stdio();
    Result<void> open_file(const std::string& path, Opener& opener);
    Result<void> open_pty(Opener& opener);
    Result<void> read_typed(Fd reading, ByteReceiver& receiver);
    size_t drain(int stop_fd);  // what is left, in bytes

    EventLoop& io_;
    Log& log_;
    Nowhere nowhere_;
    RoomRelay relay_;
    std::unique_ptr<Terminal> terminal_;
    Fd file_;  // of --serial file:PATH, until feed() empties it
    std::unique_ptr<ConsoleOutput> output_;
    std::optional<StreamFd> source_;  // until feed() takes it
    bool is_stdio_ = false;           // that is standard input, which may be a terminal
    std::unique_ptr<ConsoleInput> input_;
    std::optional<Pty> pty_;
    std::shared_ptr<ConsoleTranscript> transcript_;
    std::optional<TeeSink> tee_;  // to it, and to the file
    Fd typing_;                   // a pipe's end, whose other end the input reads
    Fd typed_;                    // a line's, until feed() reads from it
};

}  // namespace carrel
