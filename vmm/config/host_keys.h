// All that can be said about the host of several guests.
#pragma once

#include <span>

#include "vmm/config/key.h"
#include "vmm/model/host_config.h"

namespace carrel::config {

using HostKey = Key<HostConfig>;

std::span<const HostKey> host_keys();

}  // namespace carrel::config
