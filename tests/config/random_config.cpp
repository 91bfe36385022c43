#include "tests/config/random_config.h"

#include <algorithm>

namespace carrel::test {

Nanoseconds RandomConfig::time(Nanoseconds most) {
    const std::array units = {kMicrosecond, kMillisecond, kSecond};
    const Nanoseconds unit = units[below(units.size())];
    return unit * static_cast<Nanoseconds>(1 + below(999)) % most + kMicrosecond;
}

std::string RandomConfig::text() {
    const std::array parts = {",",  "a", "=", " ",   "ro",    ".img", "\"",
                              "\\", "ä", "/", "--x", "size=", "\n",   "{}"};
    std::string word;
    for (uint64_t i = below(6) + 1; i > 0; --i) word += parts[below(parts.size())];
    return word;
}

RateConfig RandomConfig::rate() {
    RateConfig rate;
    if (often()) return rate;
    rate.bytes = often() ? 1 + below(RateConfig::kMost) : kMiB * (1 + below(999));
    if (often()) rate.operations = 1 + below(100'000);
    if (often()) rate.burst = RateConfig::kShortestBurst + time(kSecond);
    return rate;
}

DiskConfig RandomConfig::disk() {
    DiskConfig disk;
    disk.path = text();
    if (often()) disk.id = text().substr(0, 4);
    if (disk.id.size() == 4) disk.id = "ends,";  // text() may have been cut in the middle of a letter
    disk.cache = static_cast<DiskConfig::Cache>(below(3));
    disk.queues = static_cast<uint16_t>(below(DiskConfig::kMostQueues + 1));
    disk.read_only = often();
    disk.overlay = !disk.read_only && disk.cache != DiskConfig::Cache::kNone;
    if (disk.overlay && often()) disk.overlay_path = text();
    disk.rate = rate();
    return disk;
}

void RandomConfig::add_forwards(NetConfig& net) {
    const std::array addresses = {"", "127.0.0.1", "::1"};
    for (uint16_t i = 0; i < below(4); ++i)
        net.forwards.push_back({i % 2 == 0 ? PortForward::Protocol::kTcp : PortForward::Protocol::kUdp,
                                addresses[below(3)], static_cast<uint16_t>(8000 + i),
                                static_cast<uint16_t>(1 + below(65535))});
    // As they are written: those of one protocol, then the other's.
    std::ranges::stable_sort(net.forwards, {}, &PortForward::protocol);
}

NetConfig RandomConfig::net() {
    NetConfig net;
    net.kind = static_cast<NetConfig::Kind>(below(4));
    if (net.kind == NetConfig::Kind::kTap) net.name = "tap,=0";
    if (net.kind == NetConfig::Kind::kSwitch) net.name = text();
    if (net.kind == NetConfig::Kind::kTapFd) net.fd = static_cast<int>(3 + below(1000));
    if (net.kind == NetConfig::Kind::kTap)
        net.queues = static_cast<uint16_t>(1 + below(NetConfig::kMostQueues));
    if (net.kind == NetConfig::Kind::kUser) add_forwards(net);
    if (often()) net.mac = MacAddress{2, 0, 0x5e, 0x10, 0, static_cast<uint8_t>(below(256))};
    if (often()) net.mtu = static_cast<uint16_t>(68 + below(65000));
    net.rate = rate();
    return net;
}

CpuQuota RandomConfig::cpu_quota() {
    CpuQuota quota;
    if (often()) quota.cap = CpuQuota::kLeastCap + static_cast<CpuShare>(below(4 * kWholeCpu));
    if (quota.cap && often()) quota.burst = time(CpuQuota::kLongestPeriod / 2);
    if (often()) quota.reserve = static_cast<CpuShare>(below(CpuQuota::kLeastCap));
    if (often()) quota.weight = static_cast<uint32_t>(1 + below(CpuQuota::kMostWeight));
    if (often()) quota.period = CpuQuota::kShortestPeriod + time(CpuQuota::kLongestPeriod / 2);
    if (often()) quota.priority = static_cast<uint32_t>(below(1000));
    if (often()) quota.expected_burst = time(kSecond);
    return quota;
}

void RandomConfig::add_memory(MachineConfig& config) {
    if (often()) config.memory = 2 * kMiB * (8 + below(4096));
    if (often())
        config.balloon = BalloonOptions{kPageSize * below(1000), often() ? kSecond + time(kSecond) : 0};
    if (often()) {
        config.backing = MemoryBacking::kHugetlb;
    } else if (often()) {
        config.memory_quota = MemoryQuota{MemoryQuota::kLeast + kPageSize * below(1000), {}, {}};
        if (often()) config.memory_quota->swap = SwapConfig{text(), often() ? kMiB + below(kGiB) : 0};
        if (often()) config.memory_quota->on_limit = OnMemoryLimit::kKill;
    }
}

MachineConfig RandomConfig::machine() {
    MachineConfig config;
    if (often()) config.name = "guest-" + std::to_string(below(100));
    config.boot.kernel = text();
    if (often()) config.boot.initrd = text();
    if (often()) config.boot.cmdline = text();
    config.cpus = static_cast<uint32_t>(1 + below(8));
    if (often()) config.cpu_model = CpuModel::kBaseline;
    config.cpu_quota = cpu_quota();
    for (uint32_t cpu = 0; cpu < 12; ++cpu)
        if (often()) config.cpus_allowed.push_back(cpu);
    add_memory(config);
    config.serial.kind = static_cast<SerialConfig::Kind>(below(4));
    if (config.serial.kind == SerialConfig::Kind::kFile) config.serial.path = text();
    if (often()) config.console = ConsoleKind::kVirtio;
    for (uint64_t i = below(4); i > 0; --i) config.disks.push_back(disk());
    for (uint64_t i = below(4); i > 0; --i) config.nets.push_back(net());
    config.entropy = often();
    if (often()) config.vsock = VsockConfig{text(), static_cast<uint32_t>(3 + below(1000))};
    if (often()) config.transport = Transport::kMmio;
    config.packed_rings = often();
    if (often()) config.on_reboot = OnReboot::kRestart;
    if (often()) config.timeout = time(kSecond);
    config.rebuild_every = static_cast<uint32_t>(below(3));
    return config;
}

}  // namespace carrel::test
