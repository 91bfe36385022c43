// give_back_code(): lets go of the pages of our own binary that only starting needed.
#pragma once

#include <cstddef>
#include <span>

namespace carrel {

// Where this program's file begins in memory: what addr2line counts from.
const std::byte* program_start();

// The pages of this program's code: one segment (ld and lld make one). Nothing else is mapped there.
std::span<const std::byte> program_code();

// Takes the program's code out of this process's memory: it stays in the page cache, and what runs again
// comes back by itself, 64 KiB a fault. Loading a kernel runs through command line, decompressors and tables,
// and beginning to run through what starts threads; what a guest then needs for hours is a few loops.
// Breakpoints that a debugger or a uprobe has put into the code go with it, so debug builds keep theirs. Any
// thread.
void give_back_code();

}  // namespace carrel
