// say: carrel's own words, apart from the guest's console.
#pragma once

#include <string_view>

namespace carrel::cli {

// A line "carrel: …" on standard error. Nobody may be reading there (a closed terminal, a full disk, a pipe
// that is full): that is no failure of ours, and what could we say about it? We wait for a second and go on.
void say(std::string_view line);

// What was asked for, on standard output. False when it couldn't all be written; said on standard error, too.
bool print_result(std::string_view text);

// Ends the process with a sentence and status 37, the terminal restored, when memory runs out in any thread.
void install_out_of_memory_handler();

}  // namespace carrel::cli
