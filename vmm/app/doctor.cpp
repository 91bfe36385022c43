#include "vmm/app/doctor.h"

#include "vmm/app/probe_capabilities.h"
#include "vmm/app/probe_kvm_access.h"
#include "vmm/app/probe_kvm_kind.h"
#include "vmm/app/probe_kvm_speed.h"
#include "vmm/app/probe_memory.h"
#include "vmm/app/probe_passt.h"
#include "vmm/app/probe_services.h"

namespace carrel::app {
namespace {

constexpr Nanoseconds kRing0Shortest = 20 * kMillisecond;
constexpr Nanoseconds kExitPatience = 10 * kMillisecond;

void fail(DoctorReport& report, const char* id, const Error& error) {
    Finding f{id, FindingState::kFail, error.what, {}};
    if (!error.advice.empty()) f.advice.push_back(error.advice);
    report.findings.push_back(std::move(f));
    report.facts.kvm_usable = false;
    report.facts.obstacle = error.what;
}

// What a machine of our own shows.
void examine_guest(DoctorReport& report, const kvm::Kvm& kvm) {
    const auto guest = TinyGuest::create(kvm);
    if (!guest.ok()) return fail(report, "ring0-speed", guest.error());
    const auto speed = measure_ring0(**guest, kRing0Shortest);
    if (!speed.ok()) return fail(report, "ring0-speed", speed.error());
    report.facts.instructions_per_second = *speed;
    const auto first_time = measure_first_time(**guest);
    if (!first_time.ok()) return fail(report, "ring0-speed", first_time.error());
    report.facts.first_time_ns = *first_time;
    report.findings.push_back(judge_ring0(*speed, *first_time));
    const auto exit = measure_exit(**guest, kExitPatience);
    if (!exit.ok()) return fail(report, "exit-cost", exit.error());
    report.facts.exit_ns = *exit;
    report.findings.push_back(judge_exit(*exit));
    const auto attempts = try_instructions(**guest);
    for (const InstructionAttempt& a : attempts) {
        if (a.result == Attempt::kRefused) report.facts.refused_instructions.push_back(a.name);
    }
    report.findings.push_back(judge_instructions(attempts));
}

void examine_capabilities(DoctorReport& report, const kvm::Kvm& kvm) {
    const auto check = [&kvm](long capability) { return kvm.check(capability); };
    report.capabilities = capability_values(check);
    report.facts.missing_capabilities = missing_required(check);
    for (Finding& f : judge_capabilities(check)) report.findings.push_back(std::move(f));
    if (const auto cpuid = kvm.supported_cpuid(); cpuid.ok())
        report.findings.push_back(judge_paravirtual(*cpuid));
}

void examine_kvm(DoctorReport& report, Opener& opener, const std::string& path) {
    const DeviceAccess access = look_at_device(opener, path);
    report.findings.push_back(judge_access(access));
    if (!access.exists || !access.permitted) {
        report.facts.obstacle = report.findings.back().sentence;
        return;
    }
    const auto kvm = kvm::Kvm::open(opener, path);
    if (!kvm.ok()) return fail(report, "kvm-open", kvm.error());
    report.facts.kvm_usable = true;
    report.findings.push_back(judge_kind(look_at_kind(opener)));
    examine_guest(report, *kvm);
    examine_capabilities(report, *kvm);
}

void examine_host(DoctorReport& report, Opener& opener, Spawner& spawner) {
    const HostMemory memory = look_at_memory(opener);
    report.findings.push_back(judge_memory(memory));
    report.findings.push_back(judge_huge_pages(memory));
    report.findings.push_back(judge_pool(memory));
    report.findings.push_back(judge_userfaultfd(try_userfaultfd(opener)));
    report.findings.push_back(judge_io_uring(try_io_uring(opener)));
    report.findings.push_back(judge_tap(try_tap(opener)));
    report.findings.push_back(judge_passt(try_passt(spawner)));
}

}  // namespace

DoctorReport examine(Opener& opener, Spawner& spawner, const std::string& kvm_path) {
    DoctorReport report;
    examine_kvm(report, opener, kvm_path);
    examine_host(report, opener, spawner);
    report.verdict = decide(report.facts);
    return report;
}

}  // namespace carrel::app
