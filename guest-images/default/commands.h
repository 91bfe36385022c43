// The commands of the default guest's prompt.
#pragma once
#include "lib/text.h"

namespace guest {

// Runs one command line; says what is wrong with it when it is unknown.
void run_command(Text line);
// Runs commands separated by ';' and then powers off: what `carrel.run="..."` asks for.
[[noreturn]] void run_batch(Text commands);

}  // namespace guest
