// A change of a machine's configuration, as `ctl set` asks for it.
#pragma once

#include <string>
#include <string_view>

#include "vmm/model/machine_config.h"

namespace carrel::config {

// `now` with what `patch` says, checked whole. `patch` is an object with the keys of a machine, and with a
// word of a device's as a key: {"cpu-cap": "25%", "cpu-burst": null, "disk[0].bps": "10M", "balloon.size":
// "64M"}; null stands for the default. While the guest runs, what may not change then is refused.
Result<MachineConfig> changed(const MachineConfig& now, std::string_view patch, bool running,
                              const std::string& where);
// A patch of one key, with `value` as it would be typed; "default" for the default.
Result<std::string> patch_of(const std::string& key, const std::string& value);

}  // namespace carrel::config
