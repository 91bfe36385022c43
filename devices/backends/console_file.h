// console_file: the file that `--serial file:PATH` names.
#pragma once

#include <string>

#include "devices/backends/stream_fd.h"
#include "vmm/base/opener.h"
#include "vmm/base/result.h"

namespace carrel {

// Emptied if it exists, like `> PATH` (one run, one log), else created for its owner only: a console may show
// secrets. Written at its end always, so that a file which is cut while the guest runs (log rotation) goes on
// from there. A FIFO that somebody reads or a terminal will do too; a FIFO without a reader is an error and
// not a wait.
Result<StreamFd> open_console_file(Opener& opener, const std::string& path);

}  // namespace carrel
