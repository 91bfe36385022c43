// Files of configurations from anybody: refused with a sentence, or read as something that is written and
// read back as the same. The first byte says how the rest is used.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "vmm/config/change.h"
#include "vmm/config/fleet_json.h"
#include "vmm/config/machine_json.h"

using namespace carrel;

namespace {

void require(bool holds) {
    if (!holds) std::abort();
}

void read_fleet(std::string_view text) {
    const auto fleet = config::fleet_from_json(text, "f");
    if (!fleet.ok()) return require(fleet.error().fault == Fault::kUsage && !fleet.error().what.empty());
    const auto written = config::to_json(*fleet);
    require(written.ok());  // what came as JSON is UTF-8
    const auto again = config::fleet_from_json(*written, "f");
    require(again.ok() && *again == *fleet);
}

void change_machine(std::string_view patch, bool running) {
    static const MachineConfig base =
        config::machine_from_json(R"({"kernel": "k", "memory-quota": "64M", "swap": "s", "balloon": true,
                                      "disk": ["a", "b,ro"], "net": ["user,tcp=80"], "vsock": "v"})",
                                  "")
            .value();
    const auto then = config::changed(base, patch, running, "");
    if (then.ok()) require(check(*then).ok());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    if (size == 0) return 0;
    const std::string_view text(reinterpret_cast<const char*>(data) + 1, size - 1);
    if (data[0] == 'f')
        read_fleet(text);
    else
        change_machine(text, data[0] == 'r');
    return 0;
}
