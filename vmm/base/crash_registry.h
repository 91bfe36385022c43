// The one global of carrel (DESIGN.md section 10): what a signal handler or a failed CHECK must be able to
// reach.
//
// Everything here is async-signal-safe: fixed arrays of atomics, no allocation, no lock.
#pragma once

#include <termios.h>

#include <cstddef>

namespace carrel::crash_registry {

// The terminal to give back its settings. `fd` stays open until forget_terminal(). One at a time.
void remember_terminal(int fd, const termios& settings);
void forget_terminal();
void restore_terminal();  // no effect without one; safe in a signal handler

// Guest memory. A page that the host can't give (a short hugetlb pool, a limit on it, a truncated file)
// raises SIGBUS in whoever touches it: handle_sigbus() puts zeros there, marks the range and raises the
// alarm, so that this guest ends with a sentence and nothing else does. Base and size in whole 2 MiB where
// huge pages back it. Several ranges; CHECK-fails when the table (4096) is full.
void add_guest_memory(const void* base, size_t size);
void remove_guest_memory(const void* base);
bool guest_memory_lost(const void* base);
// An eventfd that is written when a range is lost; -1 for none. Open until it is replaced.
void set_guest_memory_alarm(int eventfd);

// Files mapped for reading (GuardedFileMapping, the only caller). A file that shrinks under us raises SIGBUS
// in the page that is gone; handle_sigbus() puts zero pages there and marks the mapping, so that the reader
// goes on in zeros and asks afterwards. CHECK-fails when the table (64) is full.
size_t add_guarded_mapping(void* base, size_t size);  // the slot
void remove_guarded_mapping(size_t slot);
bool guarded_mapping_shrunk(size_t slot);
bool handle_sigbus(void* address);  // false: none of ours. Safe in a signal handler

// Once per process, at its start. A SIGBUS that is none of ours restores the terminal, says where it was and
// ends the process as if there were no handler.
void install_sigbus_handler();

// Once per process, by who owns it (not a library's guest): every signal that would end the process restores
// the terminal first, and a fault of ours says where it was (crash_report.h). Signals that are blocked,
// ignored or handled already (a sanitizer's) are left alone.
void install_crash_handlers();

}  // namespace carrel::crash_registry
