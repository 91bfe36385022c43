// Is /dev/kvm there, and may I open it?
#pragma once

#include <string>

#include "vmm/app/doctor_report.h"
#include "vmm/app/host_files.h"

namespace carrel::app {

// Who may open a device and who asks; all that judge_access() needs.
struct DeviceAccess {
    std::string path;
    bool exists = false;
    bool permitted = false;
    unsigned mode = 0;  // permission bits
    std::string owner;  // name, or number where it has none
    std::string group;
    std::string user;              // who asks
    bool in_group = false;         // this process has the group
    bool listed_in_group = false;  // /etc/group names the user, but this session began before
    bool in_container = false;
    bool processor_can = false;  // vmx or svm in /proc/cpuinfo
    bool is_virtual = false;     // the hypervisor flag
};

DeviceAccess look_at_device(Opener& opener, const std::string& path);
Finding judge_access(const DeviceAccess& access);

}  // namespace carrel::app
