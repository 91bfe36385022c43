// console_file: the file that `--serial file:PATH` names.
#pragma once

#include <string>

#include "vmm/base/opener.h"
#include "vmm/base/result.h"
#include "vmm/base/stream_fd.h"

namespace carrel {

// Created for its owner only if it doesn't exist: a console may show secrets. What it holds stays until
// empty_before_use(), when the guest is ready to run: a mistyped kernel costs nobody their last log. Written
// at its end always, so that a file which is cut while the guest runs (log rotation) goes on from there. A
// FIFO that somebody reads or a terminal will do too; a FIFO without a reader is an error and not a wait.
Result<StreamFd> open_console_file(Opener& opener, const std::string& path);

// Empties a regular file, like `> PATH` (one run, one log).
void empty_before_use(int file);

}  // namespace carrel
