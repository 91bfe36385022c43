// MachineConfig: everything a person may say about one machine. Buildable piece by piece; nothing here opens
// a file.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "vmm/base/clock.h"
#include "vmm/base/result.h"
#include "vmm/model/balloon_options.h"
#include "vmm/model/cpu_quota.h"
#include "vmm/model/disk_config.h"
#include "vmm/model/gpa.h"
#include "vmm/model/memory_quota.h"
#include "vmm/model/net_config.h"
#include "vmm/model/transport.h"
#include "vmm/model/vsock_config.h"

namespace carrel {

enum class CpuModel {
    kHost,      // all that the host's KVM offers
    kBaseline,  // x86-64-v2: SSE4.2, POPCNT, CMPXCHG16B, no AVX; the same instructions on every host
};
enum class OnReboot { kExit, kRestart };
enum class ConsoleKind { kSerial, kVirtio };  // what the guest's end of `--serial` is
enum class MemoryBacking {
    kAnonymous,  // private, transparent huge pages asked for
    kMemfd,      // shareable with another process
    kHugetlb,    // from the host's reserved pool of 2 MiB pages
};

struct SerialConfig {
    enum class Kind { kStdio, kFile, kPty, kNone };
    Kind kind = Kind::kStdio;
    std::string path;  // kFile only
    bool operator==(const SerialConfig&) const = default;
};

// What to start. `kernel` empty: the embedded default guest.
struct BootConfig {
    std::string kernel;
    std::string initrd;
    std::string cmdline;  // what the user appended; defaults are added by boot::final_cmdline()
    bool operator==(const BootConfig&) const = default;
};

struct MachineConfig {
    std::string name = "guest";
    BootConfig boot;
    uint64_t memory = 0;  // bytes; 0: the default for this kind of guest
    uint32_t cpus = 1;
    CpuModel cpu_model = CpuModel::kHost;
    CpuQuota cpu_quota;
    std::vector<uint32_t> cpus_allowed;       // of the host, in ascending order; empty: all
    std::optional<MemoryQuota> memory_quota;  // none: it may occupy all of its RAM
    MemoryBacking backing = MemoryBacking::kAnonymous;
    SerialConfig serial;
    ConsoleKind console = ConsoleKind::kSerial;
    std::vector<DiskConfig> disks;          // the first is vda
    std::vector<NetConfig> nets;            // the first is eth0
    bool entropy = false;                   // a virtio-rng
    std::optional<BalloonOptions> balloon;  // none: no virtio-balloon
    std::optional<VsockConfig> vsock;
    Transport transport = Transport::kPci;  // of all virtio devices
    bool packed_rings = false;              // are offered by them
    OnReboot on_reboot = OnReboot::kExit;
    std::optional<Nanoseconds> timeout;
    // Test aid: rebuild the machine from its saved bytes at every n-th exit to userspace; 0: never.
    uint32_t rebuild_every = 0;
    bool operator==(const MachineConfig&) const = default;

    uint64_t memory_or_default() const { return memory != 0 ? memory : default_memory(); }
    uint64_t default_memory() const {
        return boot.kernel.empty() ? kDefaultGuestMemory : kDefaultKernelMemory;
    }

    static constexpr uint64_t kDefaultGuestMemory = 64 * kMiB;
    static constexpr uint64_t kDefaultKernelMemory = 512 * kMiB;
    static constexpr uint64_t kLeastMemory = 16 * kMiB;
    static constexpr size_t kMaxNameLength = 64;
    static constexpr size_t kMostDisks = 24;  // together with what there is of nets
    static constexpr size_t kMostNets = 8;
};

// Each part checked by itself; the error names the key as `carrel run` spells it.
Result<uint64_t> parse_size(const std::string& text, const char* key);  // "512M", "1G", "65536K", bytes
Result<Nanoseconds> parse_duration(const std::string& text,
                                   const char* key);  // "60s", "500ms", "2m", "1h", seconds
std::string duration_text(Nanoseconds duration);      // "90 s", "300 ms"
Result<uint32_t> parse_cpus(const std::string& text);
Result<uint32_t> parse_number(const std::string& text, const char* key);
Result<std::vector<uint32_t>> parse_cpu_list(const std::string& text,
                                             const char* key);  // "0-3,6"
Result<CpuModel> parse_cpu_model(const std::string& text);
Result<Transport> parse_transport(const std::string& text);
Result<OnReboot> parse_on_reboot(const std::string& text);
Result<SerialConfig> parse_serial(const std::string& text);
Result<ConsoleKind> parse_console(const std::string& text);
Result<void> check_name(const std::string& name);
Result<void> check_memory(uint64_t bytes);
Result<void> check_cpus(uint32_t cpus);
Result<void> check(const MachineConfig& config);  // all of it

}  // namespace carrel
