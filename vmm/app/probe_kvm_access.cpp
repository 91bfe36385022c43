#include "vmm/app/probe_kvm_access.h"

#include <fcntl.h>
#include <fmt/core.h>
#include <sys/stat.h>

#include <algorithm>

namespace carrel::app {
namespace {

constexpr const char* kUdevRule = R"(KERNEL=="kvm", GROUP="kvm", MODE="0666")";

// One line of /etc/passwd or /etc/group. Read by hand: the library's look-up would load the network's name
// services.
struct DatabaseLine {
    std::string name;
    std::string members;  // the fourth field
};

std::optional<DatabaseLine> look_up(Opener& opener, const std::string& file, uint64_t id) {
    const std::string text = read_text(opener, file).value_or("");
    const std::string wanted = std::to_string(id);
    for (size_t at = 0; at < text.size();) {
        const size_t end = std::min(text.find('\n', at), text.size());
        const std::string line = text.substr(at, end - at);
        const size_t a = line.find(':');
        const size_t b = line.find(':', a == std::string::npos ? a : a + 1);
        const size_t c = line.find(':', b == std::string::npos ? b : b + 1);
        if (c != std::string::npos && line.substr(b + 1, c - b - 1) == wanted)
            return DatabaseLine{line.substr(0, a), line.substr(c + 1)};
        at = end + 1;
    }
    return std::nullopt;
}

bool have_group(gid_t group) {
    std::vector<gid_t> groups(static_cast<size_t>(std::max(0, ::getgroups(0, nullptr))));
    const int count = ::getgroups(static_cast<int>(groups.size()), groups.data());
    groups.resize(static_cast<size_t>(std::max(0, count)));
    groups.push_back(::getegid());
    return std::find(groups.begin(), groups.end(), group) != groups.end();
}

void add_owner(Opener& opener, const struct stat& file, DeviceAccess& access) {
    const auto owner = look_up(opener, "/etc/passwd", file.st_uid);
    const auto group = look_up(opener, "/etc/group", file.st_gid);
    const auto user = look_up(opener, "/etc/passwd", ::geteuid());
    access.mode = file.st_mode & 0777;
    access.owner = owner ? owner->name : std::to_string(file.st_uid);
    access.group = group ? group->name : std::to_string(file.st_gid);
    access.user = user ? user->name : std::to_string(::geteuid());
    access.in_group = have_group(file.st_gid);
    access.listed_in_group = group && has_word(group->members, access.user);
}

bool in_container(Opener& opener) {
    struct stat unused {};
    if (::stat("/.dockerenv", &unused) == 0 || ::stat("/run/.containerenv", &unused) == 0) return true;
    return read_text(opener, "/run/systemd/container").has_value();
}

Finding missing(const DeviceAccess& a) {
    Finding f{"kvm-access", FindingState::kFail, fmt::format("{} doesn't exist", a.path), {}};
    if (a.in_container) f.advice.push_back("this is a container: start it with --device " + a.path);
    if (a.processor_can) {
        f.advice.emplace_back(
            "the processor can do it, so load the module: sudo modprobe kvm_intel (AMD: kvm_amd)");
    } else if (a.is_virtual) {
        f.advice.emplace_back(
            "this machine is virtual and shows neither vmx nor svm: switch on nested virtualisation where it "
            "is defined");
    } else {
        f.advice.emplace_back(
            "the processor shows neither vmx nor svm: switch on virtualisation (VT-x, SVM) in the firmware");
    }
    f.advice.emplace_back("without it: tools/kvm-host runs carrel on an emulated machine with KVM");
    return f;
}

std::string group_advice(const DeviceAccess& a) {
    if (a.in_group)
        return fmt::format("you are in group {}, but the device's mode keeps the group out", a.group);
    if (a.listed_in_group)
        return fmt::format("you are in group {} since this session began: log in again, or run newgrp {}",
                           a.group, a.group);
    return fmt::format("join the group: sudo usermod -aG {} {}, then log in again", a.group, a.user);
}

// A group helps only where the mode lets it read and write.
bool group_helps(const DeviceAccess& a) {
    return (a.mode & 060) == 060 && a.group != "root";
}

Finding not_permitted(const DeviceAccess& a) {
    Finding f{"kvm-access",
              FindingState::kFail,
              fmt::format("{} may not be opened by {}: it belongs to user {} and group {} with mode {:04o}",
                          a.path, a.user, a.owner, a.group, a.mode),
              {}};
    f.advice.push_back(
        group_helps(a)
            ? group_advice(a)
            : fmt::format("no group but its owner may open it (group {}, mode {:04o}); the rule below sets "
                          "both",
                          a.group, a.mode));
    f.advice.push_back(fmt::format("or for everybody, in /etc/udev/rules.d/99-kvm.rules: {}", kUdevRule));
    f.advice.push_back(fmt::format(
        "a step for a CI job on a hosted runner: echo '{}' | sudo tee /etc/udev/rules.d/99-kvm.rules && "
        "sudo udevadm control --reload-rules && sudo udevadm trigger --name-match=kvm",
        kUdevRule));
    f.advice.push_back(fmt::format("until the next reboot: sudo chmod 666 {}", a.path));
    return f;
}

}  // namespace

DeviceAccess look_at_device(Opener& opener, const std::string& path) {
    DeviceAccess access;
    access.path = path;
    access.in_container = in_container(opener);
    const std::string flags = value_of(read_text(opener, "/proc/cpuinfo").value_or(""), "flags").value_or("");
    access.processor_can = has_word(flags, "vmx") || has_word(flags, "svm");
    access.is_virtual = has_word(flags, "hypervisor");
    struct stat file {};
    access.exists = ::stat(path.c_str(), &file) == 0;
    if (!access.exists) return access;
    add_owner(opener, file, access);
    access.permitted = ::faccessat(AT_FDCWD, path.c_str(), R_OK | W_OK, AT_EACCESS) == 0;
    return access;
}

Finding judge_access(const DeviceAccess& access) {
    if (!access.exists) return missing(access);
    if (!access.permitted) return not_permitted(access);
    return {"kvm-access",
            FindingState::kOk,
            fmt::format("{} is there and {} may open it (group {}, mode {:04o})", access.path, access.user,
                        access.group, access.mode),
            {}};
}

}  // namespace carrel::app
