// KVM's count of a vCPU's halts, over a real KVM.
#include "vmm/kvm/halt_statistics.h"

#include "tests/catch.h"
#include "tests/vmm/kvm_rig.h"

using namespace carrel;

// All that we run on have them: Linux 5.17 and newer.
TEST_CASE("halt statistics: KVM counts a vCPU's halts, and one that hasn't run has none") {
    const auto rig = carrel::test::kvm_rig("halt_statistics");
    if (!rig) return;
    const auto halts = kvm::HaltStatistics::open(rig->vcpu->fd());
    REQUIRE(halts.ok());
    CHECK(halts->read().halted == 0);
    CHECK_FALSE(halts->read().halted_now);
}
