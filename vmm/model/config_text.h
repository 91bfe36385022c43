// How what a person may say about a machine is written: each is the inverse of its parser, which reads it
// back as it was.
#pragma once

#include <string>
#include <vector>

#include "vmm/model/machine_config.h"

namespace carrel {

std::string size_text(uint64_t bytes);    // "512M"; the largest unit that leaves a whole number
std::string time_text(Nanoseconds time);  // "10ms", "90s"; a whole number of microseconds
std::string cpu_list_text(const std::vector<uint32_t>& cpus);  // "0-3,6"

const char* to_text(CpuModel model);
const char* to_text(Transport transport);
const char* to_text(OnReboot what);
const char* to_text(ConsoleKind kind);
const char* to_text(OnMemoryLimit what);
std::string to_text(const SerialConfig& serial);
std::string to_text(const DiskConfig& disk);
std::string to_text(const NetConfig& net);
std::string to_text(const VsockConfig& vsock);
std::string to_text(const BalloonOptions& balloon);
std::string to_text(const SwapConfig& swap);

}  // namespace carrel
