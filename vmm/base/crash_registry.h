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

}  // namespace carrel::crash_registry
