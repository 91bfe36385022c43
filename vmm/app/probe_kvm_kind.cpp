#include "vmm/app/probe_kvm_kind.h"

#include <dirent.h>
#include <fmt/core.h>
#include <sys/utsname.h>

#include <memory>

namespace carrel::app {
namespace {

// The vendor's module of KVM, from /sys/module (there for one that is built in, too).
std::string vendor_module() {
    const std::unique_ptr<DIR, int (*)(DIR*)> folder(::opendir("/sys/module"), ::closedir);
    if (!folder) return {};
    while (const dirent* const entry = ::readdir(folder.get())) {
        std::string name = entry->d_name;
        if (name.rfind("kvm_", 0) == 0 && name != "kvm_stat") return name;
    }
    return {};
}

std::string parameter(Opener& opener, const std::string& module, const char* name) {
    return read_line(opener, "/sys/module/" + module + "/parameters/" + name).value_or("");
}

bool on(const std::string& value) {
    return value == "Y" || value == "1";
}
bool off(const std::string& value) {
    return value == "N" || value == "0";
}

std::string nesting_words(const KvmKind& kind) {
    return kind.hypervisor ? ", nested: this machine is a guest itself, so exits cost more" : "";
}

Finding hardware(const KvmKind& kind) {
    const bool intel = kind.vmx;
    Finding f{"kvm-kind",
              FindingState::kOk,
              fmt::format("{}{}{}", intel ? "Intel VMX" : "AMD SVM",
                          on(kind.paging) ? (intel ? " with EPT" : " with nested paging") : "",
                          nesting_words(kind)),
              {}};
    if (!kind.module.empty()) f.sentence += fmt::format(" (module {}, Linux {})", kind.module, kind.kernel);
    if (off(kind.paging)) {
        f.state = FindingState::kWarn;
        f.sentence += "; second-level paging is off, guests run several times slower";
        f.advice.push_back(fmt::format("load {} with {}=1", kind.module, intel ? "ept" : "npt"));
    }
    if (off(kind.nested)) f.sentence += "; guests get no KVM of their own (nested=0)";
    return f;
}

}  // namespace

KvmKind look_at_kind(Opener& opener) {
    KvmKind kind;
    const std::string flags = value_of(read_text(opener, "/proc/cpuinfo").value_or(""), "flags").value_or("");
    kind.vmx = has_word(flags, "vmx");
    kind.svm = has_word(flags, "svm");
    kind.hypervisor = has_word(flags, "hypervisor");
    kind.module = vendor_module();
    if (!kind.module.empty()) {
        kind.paging = parameter(opener, kind.module, kind.vmx ? "ept" : "npt");
        kind.nested = parameter(opener, kind.module, "nested");
    }
    utsname name{};
    if (::uname(&name) == 0) kind.kernel = name.release;
    return kind;
}

Finding judge_kind(const KvmKind& kind) {
    if (kind.hardware()) return hardware(kind);
    return {
        "kvm-kind",
        FindingState::kWarn,
        fmt::format("a KVM in software ({}, Linux {}): /proc/cpuinfo shows neither vmx nor svm",
                    kind.module.empty() ? "no vendor module visible" : "module " + kind.module, kind.kernel),
        {kind.hypervisor
             ? "for hardware speed, switch on nested virtualisation where this virtual machine is defined"
             : "for hardware speed, switch on virtualisation (VT-x, SVM) in the firmware"}};
}

}  // namespace carrel::app
