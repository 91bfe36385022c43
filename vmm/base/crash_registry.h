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

// Guest memory, so that a SIGBUS in it (a short hugetlb pool, a truncated file) is known as that guest's
// failure. Several ranges; CHECK-fails when the table (256) is full.
void add_guest_memory(const void* base, size_t size);
void remove_guest_memory(const void* base);
bool is_guest_memory(const void* address);  // safe in a signal handler

// Files mapped for reading (GuardedFileMapping, the only caller). A file that shrinks under us raises SIGBUS
// in the page that is gone; handle_sigbus() puts zero pages there and marks the mapping, so that the reader
// goes on in zeros and asks afterwards. CHECK-fails when the table (64) is full.
size_t add_guarded_mapping(void* base, size_t size);  // the slot
void remove_guarded_mapping(size_t slot);
bool guarded_mapping_shrunk(size_t slot);
bool handle_sigbus(void* address);  // false: not a guarded mapping. Safe in a signal handler

// Called by the SIGBUS handler for an address in guest memory, on the thread that faulted; must be
// async-signal-safe. True: dealt with, go on. Null (the beginning): the process ends.
using GuestMemorySigbus = bool (*)(void* address);
void on_guest_memory_sigbus(GuestMemorySigbus hook);

// Once per process, at its start. A SIGBUS that is neither ours nor the hook's restores the terminal and ends
// the process as if there were no handler.
void install_sigbus_handler();

}  // namespace carrel::crash_registry
