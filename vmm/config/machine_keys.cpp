#include "vmm/config/machine_keys.h"

#include <algorithm>
#include <array>

#include "vmm/config/boot_keys.h"
#include "vmm/config/cpu_keys.h"
#include "vmm/config/device_keys.h"
#include "vmm/config/memory_keys.h"

namespace carrel::config {
namespace {

template <size_t... N>
constexpr auto joined(const std::array<MachineKey, N>&... tables) {
    std::array<MachineKey, (N + ...)> all{};
    auto* end = all.data();
    ((end = std::ranges::copy(tables, end).out), ...);
    return all;
}

constexpr auto kMachineKeys = joined(kBootKeys, kMemoryKeys, kCpuKeys, kLifeKeys, kDeviceKeys, kNameKeys);

}  // namespace

std::span<const MachineKey> machine_keys() {
    return kMachineKeys;
}

}  // namespace carrel::config
