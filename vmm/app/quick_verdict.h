// quick_verdict(): what `carrel run KERNEL` tells a user before they wait for nothing.
#pragma once

#include <optional>
#include <string>

#include "vmm/base/opener.h"

namespace carrel::app {

// A sentence when a stock Linux won't boot here although /dev/kvm works; nothing otherwise, also where it
// can't be told. With vmx or svm in /proc/cpuinfo only that file is read; else guest ring 0 is measured for a
// few milliseconds.
std::optional<std::string> quick_verdict(Opener& opener, const std::string& kvm_path = "/dev/kvm");

}  // namespace carrel::app
