#include "vmm/host/console_transcript.h"

namespace carrel {

// Written first and looked for who waits second; read() does it the other way round, so none is missed.
void ConsoleTranscript::write(std::span<const std::byte> bytes) {
    history_.write(bytes);
    if (history_.take_awaited()) tell();
}

void ConsoleTranscript::tell() {
    MutexLock lock(mutex_);
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
    history_.await();
    return history_.read(position, into);
}

}  // namespace carrel
