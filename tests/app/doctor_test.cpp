// The probes' judgements and how a report is shown: no KVM.
#include "vmm/app/doctor_report.h"

#include <fcntl.h>
#include <linux/kvm.h>
#include <sys/mman.h>

#include <cerrno>
#include <map>
#include <nlohmann/json.hpp>

#include "tests/catch.h"
#include "vmm/app/doctor_json.h"
#include "vmm/app/doctor_text.h"
#include "vmm/app/probe_capabilities.h"
#include "vmm/app/probe_kvm_access.h"
#include "vmm/app/probe_kvm_kind.h"
#include "vmm/app/probe_kvm_speed.h"
#include "vmm/app/probe_memory.h"
#include "vmm/app/probe_passt.h"
#include "vmm/app/probe_services.h"

using namespace carrel;
using namespace carrel::app;

namespace {

// A host made of the files given.
class FakeFiles final : public Opener {
  public:
    explicit FakeFiles(std::map<std::string, std::string> files) : files_(std::move(files)) {}
    Result<Fd> open(const std::string& path, int, unsigned) override {
        const auto file = files_.find(path);
        if (file == files_.end()) return os_error(ENOENT, "cannot open " + path);
        Fd fd(::memfd_create("test", MFD_CLOEXEC));
        REQUIRE(::write(fd.get(), file->second.data(), file->second.size()) ==
                static_cast<ssize_t>(file->second.size()));
        ::lseek(fd.get(), 0, SEEK_SET);
        return fd;
    }
    Result<Fd> listen(const std::string& path) override {
        return os_error(EACCES, "cannot listen at " + path);
    }
    void remove(const std::string&) override {}
    Result<Fd> connect(const std::string& path) override {
        return os_error(ENOENT, "cannot connect to " + path);
    }

  private:
    std::map<std::string, std::string> files_;
};

std::string all_of(const Finding& finding) {
    std::string text = finding.sentence;
    for (const std::string& advice : finding.advice) text += "\n" + advice;
    return text;
}

bool has(const std::string& text, const char* piece) {
    INFO(text);
    return text.find(piece) != std::string::npos;
}

DeviceAccess kvm_device() {
    DeviceAccess access;
    access.path = "/dev/kvm";
    access.exists = true;
    access.mode = 0660;
    access.owner = "root";
    access.group = "kvm";
    access.user = "ada";
    return access;
}

DoctorReport small_report() {
    DoctorReport report;
    report.findings = {{"kvm-access",
                        FindingState::kFail,
                        "one two three four five six seven eight nine ten",
                        {"type this line"}}};
    report.capabilities = {{"IRQCHIP", 1}};
    report.facts.obstacle = "x";
    report.verdict = decide(report.facts);
    return report;
}

}  // namespace

TEST_CASE("words of files: whole ones only, keys at the start of a line") {
    CHECK(has_word("fpu svm lm", "svm"));
    CHECK_FALSE(has_word("svm_lock vmx2", "svm"));
    CHECK_FALSE(has_word("", "svm"));
    CHECK(value_of("a: 1\nflags\t\t: x y\n", "flags") == "x y");
    CHECK_FALSE(value_of("xflags: 1", "flags").has_value());
    CHECK(to_number("512 kB") == 512);
    CHECK_FALSE(to_number("max").has_value());
    CHECK_FALSE(to_number("99999999999999999999999").has_value());
}

TEST_CASE("no /dev/kvm: what to do depends on the machine") {
    DeviceAccess access;
    access.path = "/dev/kvm";
    access.processor_can = true;
    CHECK(judge_access(access).state == FindingState::kFail);
    CHECK(has(all_of(judge_access(access)), "modprobe kvm_intel"));
    access.processor_can = false;
    access.is_virtual = true;
    CHECK(has(all_of(judge_access(access)), "nested virtualisation"));
    access.in_container = true;
    CHECK(has(all_of(judge_access(access)), "--device /dev/kvm"));
}

TEST_CASE("not permitted: group, udev rule and a line for a CI job are named") {
    DeviceAccess access = kvm_device();
    const std::string stranger = all_of(judge_access(access));
    CHECK(has(stranger, "group kvm"));
    CHECK(has(stranger, "usermod -aG kvm ada"));
    CHECK(has(stranger, R"(KERNEL=="kvm", GROUP="kvm", MODE="0666")"));
    CHECK(has(stranger, "CI job"));
    access.listed_in_group = true;
    CHECK(has(all_of(judge_access(access)), "newgrp kvm"));
    access.mode = 0600;
    CHECK_FALSE(has(all_of(judge_access(access)), "newgrp"));  // the group wouldn't help
    access.permitted = true;
    CHECK(judge_access(access).state == FindingState::kOk);
}

TEST_CASE("which KVM it is, from flags and module parameters") {
    const std::string intel = "processor: 0\nflags\t\t: fpu vmx hypervisor\n";
    FakeFiles files({{"/proc/cpuinfo", intel}});
    const KvmKind nested = look_at_kind(files);
    CHECK(nested.hardware());
    CHECK(has(judge_kind(nested).sentence, "Intel VMX"));
    CHECK(has(judge_kind(nested).sentence, "nested"));

    KvmKind amd;
    amd.svm = true;
    amd.module = "kvm_amd";
    amd.paging = "N";
    CHECK(judge_kind(amd).state == FindingState::kWarn);
    CHECK(has(all_of(judge_kind(amd)), "npt=1"));

    KvmKind software;
    software.module = "kvm_other";
    CHECK(judge_kind(software).state == FindingState::kWarn);
    CHECK(has(judge_kind(software).sentence, "a KVM in software (module kvm_other"));
}

TEST_CASE("a missing capability says what it is for, and a required one fails") {
    const auto none = judge_capabilities([](long) { return 0; });
    CHECK(none.size() == capabilities().size() + 1);
    CHECK(missing_required([](long) { return 0; }).size() >= 4);
    CHECK(missing_required([](long) { return 1; }).empty());
    const auto one = judge_capabilities([](long c) { return c == KVM_CAP_COALESCED_PIO ? 0 : 1; });
    REQUIRE(one.size() == 2);
    CHECK(one[1].id == "capability-COALESCED_PIO");
    CHECK(one[1].state == FindingState::kWarn);
    CHECK(has(one[1].sentence, "console"));
}

TEST_CASE("kvm-clock and steal time are read from KVM's CPUID leaf") {
    CpuidTable table = {{0x4000'0001, 0, false, 1u << 3 | 1u << 5, 0, 0, 0}};
    CHECK(judge_paravirtual(table).state == FindingState::kOk);
    table[0].eax = 1u << 3;
    CHECK(has(judge_paravirtual(table).sentence, "steal time"));
    CHECK(has(judge_paravirtual({}).sentence, "kvm-clock"));
}

TEST_CASE("memory: the tightest of a group and those around it counts, in both versions of control groups") {
    const std::string host = "MemTotal: 16000000 kB\nMemAvailable: 8000000 kB\n";
    FakeFiles v1({{"/proc/meminfo", host},
                  {"/proc/self/cgroup", "12:pids:/x\n4:memory:/a/b\n0::/\n"},
                  {"/sys/fs/cgroup/memory/a/b/memory.limit_in_bytes", "9223372036854771712\n"},
                  {"/sys/fs/cgroup/memory/a/b/memory.usage_in_bytes", "1000\n"},
                  {"/sys/fs/cgroup/memory/a/memory.limit_in_bytes", "104857600\n"},
                  {"/sys/fs/cgroup/memory/a/memory.usage_in_bytes", "4857600\n"}});
    CHECK(look_at_memory(v1).limit_left == 100'000'000u);
    FakeFiles v2({{"/proc/meminfo", host},
                  {"/proc/self/cgroup", "0::/a/b\n"},
                  {"/sys/fs/cgroup/a/b/memory.max", "max\n"},
                  {"/sys/fs/cgroup/a/b/memory.current", "1000\n"},
                  {"/sys/fs/cgroup/a/memory.max", "104857600\n"},
                  {"/sys/fs/cgroup/a/memory.current", "104857600\n"}});
    CHECK(look_at_memory(v2).limit_left == 0u);
}

TEST_CASE("memory: the tighter of host and cgroup counts") {
    FakeFiles files({{"/proc/meminfo", "MemTotal:  8388608 kB\nMemFree: 1 kB\nMemAvailable:  4194304 kB\n"},
                     {"/proc/self/cgroup", "0::/job\n"},
                     {"/sys/fs/cgroup/job/memory.max", "268435456\n"},
                     {"/sys/fs/cgroup/job/memory.current", "67108864\n"},
                     {"/sys/kernel/mm/transparent_hugepage/enabled", "always [madvise] never\n"},
                     {"/sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages", "64\n"},
                     {"/sys/kernel/mm/hugepages/hugepages-2048kB/free_hugepages", "32\n"}});
    const HostMemory memory = look_at_memory(files);
    CHECK(memory.available == 4 * kGiB);
    CHECK(memory.limit_left == 192 * kMiB);
    CHECK(judge_memory(memory).state == FindingState::kWarn);
    CHECK(has(all_of(judge_memory(memory)), "192 MiB of 8192 MiB"));
    CHECK(judge_huge_pages(memory).state == FindingState::kOk);
    CHECK(has(judge_pool(memory).sentence, "64 MiB"));
    FakeFiles empty({});
    CHECK(judge_huge_pages(look_at_memory(empty)).state == FindingState::kWarn);
}

TEST_CASE("a cgroup that uses more than its limit has nothing left, not a lot") {
    FakeFiles files({{"/proc/meminfo", "MemAvailable: 4194304 kB\n"},
                     {"/proc/self/cgroup", "0::/\n"},
                     {"/sys/fs/cgroup/memory.max", "1\n"},
                     {"/sys/fs/cgroup//memory.max", "1000\n"},
                     {"/sys/fs/cgroup//memory.current", "2000\n"}});
    CHECK(look_at_memory(files).limit_left == uint64_t{0});
}

TEST_CASE("services: each refusal has its own advice") {
    CHECK(judge_userfaultfd({0, false, std::nullopt}).state == FindingState::kOk);
    CHECK(judge_userfaultfd({EPERM, true, 0}).state == FindingState::kOk);
    CHECK(has(all_of(judge_userfaultfd({EPERM, false, 0})), "vm.unprivileged_userfaultfd=1"));
    CHECK(has(all_of(judge_userfaultfd({ENOSYS, false, std::nullopt})), "CONFIG_USERFAULTFD"));
    CHECK(judge_io_uring({0, 0}).state == FindingState::kOk);
    CHECK(has(all_of(judge_io_uring({EPERM, 2})), "kernel.io_uring_disabled=0"));
    CHECK(has(all_of(judge_io_uring({EPERM, 0})), "seccomp"));
    CHECK(judge_tap({true, true, true}).state == FindingState::kOk);
    CHECK(has(all_of(judge_tap({true, true, false})), "ip tuntap add"));
    CHECK(has(all_of(judge_tap({false, false, true})), "modprobe tun"));
    CHECK(judge_passt({"/usr/bin/passt", true, ""}).state == FindingState::kOk);
    CHECK(has(all_of(judge_passt({})), "apt install passt"));
    const Finding broken = judge_passt({"/usr/bin/passt", false, "exited with status 1: no route"});
    CHECK(broken.state == FindingState::kWarn);
    CHECK(has(all_of(broken), "exited with status 1: no route"));
}

TEST_CASE("speed: an interpreted ring 0, an emulated processor and a refused instruction are named") {
    CHECK(judge_ring0(3e9, 5).state == FindingState::kOk);
    CHECK(has(judge_ring0(8e8, 1'300).sentence, "emulated"));
    CHECK(judge_ring0(3e6, 300).state == FindingState::kWarn);
    CHECK(judge_exit(2'000).state == FindingState::kOk);
    CHECK(judge_exit(200'000).state == FindingState::kWarn);
    const std::vector<InstructionAttempt> attempts = {
        {"INT3", Attempt::kRan}, {"XRSTOR", Attempt::kRefused}, {"CMPXCHG16B", Attempt::kNotOffered}};
    CHECK(judge_instructions(attempts).state == FindingState::kWarn);
    CHECK(has(judge_instructions(attempts).sentence, "ring 0: XRSTOR"));
    CHECK(has(judge_instructions(attempts).sentence, "doesn't offer CMPXCHG16B"));
}

TEST_CASE("text: folded at blanks, advice in one piece, no escapes without a terminal") {
    const DoctorReport report = small_report();
    const std::string plain = to_text(report, false, 40);
    CHECK(plain.find('\033') == std::string::npos);
    CHECK(has(plain, "  FAIL  one two three four five six\n        seven eight"));
    CHECK(has(plain, "        -> type this line\n"));
    CHECK(has(plain, "Verdict: "));
    CHECK(has(to_text(report, true, 40), "\033[31mFAIL\033[0m"));
    CHECK_FALSE(to_text(report, false, 0).empty());  // a terminal without a width
}

TEST_CASE("JSON: what wasn't measured is null, and bytes that are no UTF-8 don't throw") {
    DoctorReport report = small_report();
    report.findings[0].sentence += "\xff";
    const auto json = nlohmann::json::parse(to_json(report));
    CHECK(json["format"] == 1);
    CHECK(json["verdict"]["ability"] == "none");
    CHECK(json["verdict"]["exit_status"] == 37);
    CHECK(json["measured"]["instructions_per_second"].is_null());
    CHECK(json["findings"][0]["state"] == "fail");
    CHECK(json["findings"][0]["advice"][0] == "type this line");
    CHECK(json["capabilities"]["IRQCHIP"] == 1);
}

TEST_CASE("what doctor calls required is what a machine requires") {
    std::vector<long> told;
    for (const Capability& capability : capabilities()) {
        if (capability.need == Need::kRequired) told.push_back(capability.number);
    }
    std::vector<long> checked;
    for (const auto& capability : kvm::required_capabilities()) checked.push_back(capability.number);
    std::ranges::sort(told);
    std::ranges::sort(checked);
    CHECK(told == checked);
}
