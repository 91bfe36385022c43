// The verdict is a pure function of what was measured.
#include "vmm/app/verdict.h"

#include "tests/catch.h"

using namespace carrel::app;

namespace {

HostFacts silicon() {
    HostFacts facts;
    facts.kvm_usable = true;
    facts.instructions_per_second = 3e9;
    facts.first_time_ns = 5;
    facts.exit_ns = 1'500;
    return facts;
}

bool has(const Verdict& verdict, const char* piece) {
    INFO(verdict.sentence);
    return verdict.sentence.find(piece) != std::string::npos;
}

}  // namespace

TEST_CASE("on silicon stock Linux boots in less than a second") {
    const Verdict verdict = decide(silicon());
    CHECK(verdict.ability == Ability::kLinux);
    CHECK(has(verdict, "stock Linux will boot in about 0."));
    CHECK(exit_status(verdict.ability) == 0);
}

TEST_CASE("one virtual nanosecond an instruction gives the time that was measured there") {
    CHECK(boot_seconds(1e9, 1, 3'600) == Approx(1.65).margin(0.05));  // tools/kvm-host --icount: 1.65 s
}

TEST_CASE("slower guests, dearer exits and a dearer first time all lengthen the boot") {
    const double usual = boot_seconds(1e9, 1, 1'000);
    CHECK(boot_seconds(0.5e9, 1, 1'000) > usual);
    CHECK(boot_seconds(1e9, 1'000, 1'000) > usual);
    CHECK(boot_seconds(1e9, 1, 100'000) > usual);
}

TEST_CASE("an interpreted ring 0 boots no Linux, but small guests run") {
    HostFacts facts = silicon();
    facts.instructions_per_second = 3e6;
    facts.refused_instructions = {"INT3", "XRSTOR", "CMPXCHG16B"};
    const Verdict verdict = decide(facts);
    CHECK(verdict.ability == Ability::kSmallGuests);
    CHECK(exit_status(verdict.ability) == 1);
    CHECK_FALSE(verdict.boot_seconds.has_value());
    CHECK(has(verdict, "won't boot here, because guest ring 0 runs at 3.0 million instructions a second"));
    CHECK(has(verdict, "INT3, XRSTOR and CMPXCHG16B"));
    CHECK(has(verdict, "tools/kvm-host"));
}

TEST_CASE("the limit of speed is the limit: at it Linux boots, below it not") {
    HostFacts facts = silicon();
    facts.instructions_per_second = kLeastInstructionsPerSecond;
    CHECK(decide(facts).ability == Ability::kLinux);
    facts.instructions_per_second = kLeastInstructionsPerSecond - 1;
    CHECK(decide(facts).ability == Ability::kSmallGuests);
}

TEST_CASE("a fast KVM that refuses one instruction boots no Linux") {
    HostFacts facts = silicon();
    facts.refused_instructions = {"XRSTOR"};
    CHECK(decide(facts).ability == Ability::kSmallGuests);
    CHECK_FALSE(has(decide(facts), "a second"));
}

TEST_CASE("without a usable KVM, or without what every guest needs, nothing runs") {
    HostFacts facts;
    facts.obstacle = "/dev/kvm doesn't exist";
    CHECK(decide(facts).ability == Ability::kNone);
    CHECK(has(decide(facts), "because /dev/kvm doesn't exist; use tools/kvm-host"));
    CHECK(exit_status(Ability::kNone) == 37);
    facts = silicon();
    facts.missing_capabilities = {"KVM_CAP_IRQCHIP"};
    CHECK(decide(facts).ability == Ability::kNone);
    CHECK(has(decide(facts), "KVM_CAP_IRQCHIP"));
}
