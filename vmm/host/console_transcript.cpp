#include "vmm/host/console_transcript.h"

namespace carrel {

// Written first and looked at `armed_` second; read() does it the other way round, so none is missed.
void ConsoleTranscript::write(std::span<const std::byte> bytes) {
    history_.write(bytes);
    if (!armed_.load()) [[likely]]
        return;
    MutexLock lock(mutex_);
    if (!armed_.exchange(false)) return;
    for (ConsoleWatcher* const watcher : watchers_) watcher->on_output();
}

void ConsoleTranscript::watch(ConsoleWatcher& watcher) {
    MutexLock lock(mutex_);
    watchers_.push_back(&watcher);
}

void ConsoleTranscript::unwatch(ConsoleWatcher& watcher) {
    MutexLock lock(mutex_);
    std::erase(watchers_, &watcher);
}

ConsoleHistory::Piece ConsoleTranscript::read(uint64_t position, std::span<std::byte> into) {
    armed_.store(true);
    return history_.read(position, into);
}

}  // namespace carrel
