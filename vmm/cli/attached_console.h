// The terminal that carrel ctl runs on as a guest's console.
#pragma once

#include <string_view>

#include "vmm/base/result.h"

namespace carrel::cli {

// Raw bytes to and from `fd` until it ends, or Ctrl-A d is typed (Ctrl-A a: Ctrl-A itself). `first` has come
// already.
Result<void> attach_console(int fd, std::string_view first);

}  // namespace carrel::cli
