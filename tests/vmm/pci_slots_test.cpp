// Where virtio devices lie: a guest that finds them by their place finds them in the order of its command
// line.
#include "vmm/machine/describe_virtio.h"

#include <vector>

#include "tests/catch.h"

using namespace carrel;

namespace {

std::vector<unsigned> disks_of(size_t count) {
    MachineConfig config;
    config.disks.resize(count);
    std::vector<DevicePlace> places;
    add_virtio_places(config, places);
    std::vector<unsigned> slots;
    for (const DevicePlace& place : places)
        if (place.kind == DeviceKind::kDisk) slots.push_back(place.pci_slot);
    return slots;
}

}  // namespace

TEST_CASE("PCI slots: disks lie behind each other, from slot 16 on, or earlier where they are more than 16") {
    CHECK(disks_of(2) == std::vector<unsigned>{16, 17});
    CHECK(disks_of(16).back() == 31);
    const auto most = disks_of(MachineConfig::kMostDisks);
    REQUIRE(most.size() == 24);
    for (unsigned i = 0; i < most.size(); ++i) CHECK(most[i] == 8 + i);
}
