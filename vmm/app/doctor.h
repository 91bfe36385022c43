// examine(): everything `carrel doctor` looks at, in the order shown. Under two seconds on any host.
#pragma once

#include "vmm/app/doctor_report.h"
#include "vmm/base/opener.h"
#include "vmm/base/spawner.h"

namespace carrel::app {

// Creates short-lived virtual machines of 2 MiB; leaves nothing behind.
DoctorReport examine(Opener& opener, Spawner& spawner, const std::string& kvm_path = "/dev/kvm");

}  // namespace carrel::app
