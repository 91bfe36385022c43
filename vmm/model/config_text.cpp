#include "vmm/model/config_text.h"

#include <fmt/core.h>

#include <string_view>

#include "vmm/model/device_config.h"

namespace carrel {
namespace {

std::string rate_words(const RateConfig& rate) {
    std::string words;
    if (rate.bytes != 0) words += ",bps=" + size_text(rate.bytes);
    if (rate.operations != 0) words += fmt::format(",ops={}", rate.operations);
    if (rate.burst) words += ",burst=" + time_text(*rate.burst);
    return words;
}

std::string forward_word(const PortForward& forward) {
    return fmt::format(",{}={}{}{}:{}", key_of(forward.protocol), forward.address,
                       forward.address.empty() ? "" : "/", forward.host, forward.guest);
}

std::string kind_word(const NetConfig& net) {
    switch (net.kind) {
        case NetConfig::Kind::kTap: return "tap=" + escaped_word(net.name);
        case NetConfig::Kind::kTapFd: return fmt::format("tapfd={}", net.fd);
        case NetConfig::Kind::kUser: return "user";
        case NetConfig::Kind::kSwitch: return "switch=" + escaped_word(net.name);
    }
    return {};
}

std::string cache_word(DiskConfig::Cache cache) {
    switch (cache) {
        case DiskConfig::Cache::kWriteBack: return {};
        case DiskConfig::Cache::kNone: return ",cache=none";
        case DiskConfig::Cache::kWriteThrough: return ",cache=writethrough";
    }
    return {};
}

std::string overlay_word(const DiskConfig& disk) {
    if (!disk.overlay) return {};
    return disk.overlay_path.empty() ? ",overlay" : ",overlay=" + escaped_word(disk.overlay_path);
}

}  // namespace

std::string size_text(uint64_t bytes) {
    for (const auto& [unit, letter] : {std::pair{kGiB, 'G'}, std::pair{kMiB, 'M'}, std::pair{kKiB, 'K'}})
        if (bytes != 0 && bytes % unit == 0) return fmt::format("{}{}", bytes / unit, letter);
    return std::to_string(bytes);
}

std::string time_text(Nanoseconds time) {
    if (time % kSecond == 0) return fmt::format("{}s", time / kSecond);
    if (time % kMillisecond == 0) return fmt::format("{}ms", time / kMillisecond);
    return fmt::format("{}us", time / kMicrosecond);
}

std::string cpu_list_text(const std::vector<uint32_t>& cpus) {
    std::string text;
    for (size_t first = 0; first < cpus.size();) {
        size_t last = first;
        while (last + 1 < cpus.size() && cpus[last + 1] == cpus[last] + 1) ++last;
        text += fmt::format("{}{}", text.empty() ? "" : ",", cpus[first]);
        if (last != first) text += fmt::format("-{}", cpus[last]);
        first = last + 1;
    }
    return text;
}

const char* to_text(CpuModel model) {
    return model == CpuModel::kHost ? "host" : "baseline";
}

const char* to_text(Transport transport) {
    return transport == Transport::kMmio ? "mmio" : "pci";
}

const char* to_text(OnReboot what) {
    return what == OnReboot::kExit ? "exit" : "restart";
}

const char* to_text(ConsoleKind kind) {
    return kind == ConsoleKind::kSerial ? "serial" : "virtio";
}

const char* to_text(OnMemoryLimit what) {
    return what == OnMemoryLimit::kHold ? "hold" : "kill";
}

std::string to_text(const SerialConfig& serial) {
    switch (serial.kind) {
        case SerialConfig::Kind::kStdio: return "stdio";
        case SerialConfig::Kind::kFile: return "file:" + serial.path;
        case SerialConfig::Kind::kPty: return "pty";
        case SerialConfig::Kind::kNone: return "none";
    }
    return {};
}

std::string to_text(const DiskConfig& disk) {
    std::string text = escaped_word(disk.path);
    if (disk.read_only) text += ",ro";
    if (!disk.id.empty()) text += ",id=" + escaped_word(disk.id);
    text += cache_word(disk.cache);
    if (disk.queues != 0) text += fmt::format(",queues={}", disk.queues);
    return text + overlay_word(disk) + rate_words(disk.rate);
}

std::string to_text(const NetConfig& net) {
    std::string text = kind_word(net);
    if (net.mac) text += ",mac=" + mac_text(*net.mac);
    if (net.mtu != 0) text += fmt::format(",mtu={}", net.mtu);
    if (net.queues != 1) text += fmt::format(",queues={}", net.queues);
    for (const PortForward& forward : net.forwards) text += forward_word(forward);
    return text + rate_words(net.rate);
}

std::string to_text(const VsockConfig& vsock) {
    const bool usual = vsock.cid == VsockConfig::kDefaultCid;
    return escaped_word(vsock.path) + (usual ? "" : fmt::format(",cid={}", vsock.cid));
}

std::string to_text(const BalloonOptions& balloon) {
    const bool asks = balloon.statistics != 0;
    return size_text(balloon.size) + (asks ? ",statistics=" + time_text(balloon.statistics) : "");
}

std::string to_text(const SwapConfig& swap) {
    return escaped_word(swap.path) + (swap.size != 0 ? ",size=" + size_text(swap.size) : "");
}

}  // namespace carrel
