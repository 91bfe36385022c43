#include "vmm/model/machine_config.h"

#include <charconv>
#include <limits>
#include <string_view>

#include "vmm/model/device_config.h"

namespace carrel {
namespace {

struct Unit {
    std::string_view suffix;
    uint64_t factor;
};

// A whole number with one of the given suffixes ("" among them, where bare numbers are legal).
template <size_t N>
std::optional<uint64_t> parse_with_unit(std::string_view text, const Unit (&units)[N]) {
    uint64_t number = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (error != std::errc{}) return std::nullopt;
    const std::string_view suffix(end, static_cast<size_t>(text.data() + text.size() - end));
    for (const Unit& unit : units) {
        if (suffix != unit.suffix) continue;
        if (number > std::numeric_limits<uint64_t>::max() / unit.factor) return std::nullopt;
        return number * unit.factor;
    }
    return std::nullopt;
}

constexpr Unit kSizeUnits[] = {{"", 1},     {"K", kKiB},   {"k", kKiB},       {"KiB", kKiB},
                               {"M", kMiB}, {"m", kMiB},   {"MiB", kMiB},     {"G", kGiB},
                               {"g", kGiB}, {"GiB", kGiB}, {"T", 1024 * kGiB}};
constexpr Unit kTimeUnits[] = {{"", kSecond},        {"s", kSecond},      {"ms", kMillisecond},
                               {"us", kMicrosecond}, {"m", 60 * kSecond}, {"min", 60 * kSecond},
                               {"h", 3600 * kSecond}};

constexpr uint64_t kMostMemory = uint64_t{1}
                                 << 46;  // beyond any host; keeps every sum of addresses in 64 bits
constexpr uint32_t kMostCpus = 4096;     // KVM_CAP_MAX_VCPUS is asked for the real limit

}  // namespace

Result<uint64_t> parse_size(const std::string& text, const char* key) {
    const auto size = parse_with_unit(text, kSizeUnits);
    if (!size) {
        return usage_error(std::string(key) + ": '" + text + "' is not a size",
                           "write a whole number with K, M or G, such as 512M");
    }
    return *size;
}

Result<Nanoseconds> parse_duration(const std::string& text, const char* key) {
    const auto time = parse_with_unit(text, kTimeUnits);
    if (!time || *time == 0 || *time > static_cast<uint64_t>(std::numeric_limits<Nanoseconds>::max() / 2)) {
        return usage_error(std::string(key) + ": '" + text + "' is not a time above zero and below 100 years",
                           "write a whole number with ms, s, m or h, such as 60s");
    }
    return static_cast<Nanoseconds>(*time);
}

Result<uint32_t> parse_cpus(const std::string& text) {
    uint32_t cpus = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), cpus);
    if (error == std::errc::invalid_argument || end != text.data() + text.size()) {
        return usage_error("--cpus: '" + text + "' is not a number of vCPUs", "write a whole number from 1");
    }
    if (error != std::errc{}) cpus = std::numeric_limits<uint32_t>::max();
    TRY(check_cpus(cpus));
    return cpus;
}

Result<uint32_t> parse_number(const std::string& text, const char* key) {
    if (const auto number = whole_number(text)) return *number;
    return usage_error(std::string(key) + ": '" + text + "' is not a number",
                       "write a whole number, such as 100");
}

Result<std::vector<uint32_t>> parse_cpu_list(const std::string& text, const char* key) {
    constexpr unsigned kMostHostCpus = 1024;
    const auto refused = [&] {
        return usage_error(std::string(key) + ": '" + text + "' is not a list of host CPUs below 1024",
                           "write numbers and ranges in ascending order, such as 0-3,6");
    };
    std::vector<uint32_t> cpus;
    std::string_view rest = text;
    do {
        const std::string_view word = rest.substr(0, rest.find(','));
        const size_t dash = word.find('-');
        const auto first = whole_number(word.substr(0, dash));
        const auto last = dash == word.npos ? first : whole_number(word.substr(dash + 1));
        if (!first || !last || *last < *first || *last >= kMostHostCpus ||
            (!cpus.empty() && *first <= cpus.back()))
            return refused();
        for (unsigned cpu = *first; cpu <= *last; ++cpu) cpus.push_back(cpu);
        rest = word.size() < rest.size() ? rest.substr(word.size() + 1) : std::string_view();
        if (rest.empty() && text.back() == ',') return refused();
    } while (!rest.empty());
    return cpus;
}

Result<CpuModel> parse_cpu_model(const std::string& text) {
    if (text == "host") return CpuModel::kHost;
    if (text == "baseline") return CpuModel::kBaseline;
    return usage_error("--cpu: '" + text + "' is neither host nor baseline");
}

Result<Transport> parse_transport(const std::string& text) {
    if (text == "pci") return Transport::kPci;
    if (text == "mmio") return Transport::kMmio;
    return usage_error("--transport: '" + text + "' is neither pci nor mmio");
}

Result<OnReboot> parse_on_reboot(const std::string& text) {
    if (text == "exit") return OnReboot::kExit;
    if (text == "restart") return OnReboot::kRestart;
    return usage_error("--on-reboot: '" + text + "' is neither exit nor restart");
}

std::string duration_text(Nanoseconds duration) {
    if (duration % kSecond == 0) return std::to_string(duration / kSecond) + " s";
    return std::to_string(duration / kMillisecond) + " ms";
}

Result<SerialConfig> parse_serial(const std::string& text) {
    using Kind = SerialConfig::Kind;
    if (text == "stdio") return SerialConfig{Kind::kStdio, {}};
    if (text == "pty") return SerialConfig{Kind::kPty, {}};
    if (text == "none") return SerialConfig{Kind::kNone, {}};
    constexpr std::string_view kFile = "file:";
    if (text.starts_with(kFile) && text.size() > kFile.size()) {
        return SerialConfig{Kind::kFile, text.substr(kFile.size())};
    }
    return usage_error("--serial: '" + text + "' is none of stdio, file:PATH, pty and none");
}

Result<ConsoleKind> parse_console(const std::string& text) {
    if (text == "serial") return ConsoleKind::kSerial;
    if (text == "virtio") return ConsoleKind::kVirtio;
    return usage_error("--console: '" + text + "' is neither serial nor virtio");
}

Result<void> check_name(const std::string& name) {
    if (name.empty()) return usage_error("--name: it is given but empty", "leave it out for the default");
    const bool legal =
        name.size() <= MachineConfig::kMaxNameLength &&
        name.find_first_not_of("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.") ==
            std::string::npos;
    if (legal) return {};
    return usage_error("--name: '" + name + "' is not a name",
                       "use 1 to 64 letters, digits, '-', '_' and '.'");
}

Result<void> check_memory(uint64_t bytes) {
    if (bytes < MachineConfig::kLeastMemory) {
        return usage_error("--memory: " + std::to_string(bytes) + " bytes are too little",
                           "give at least 16M (a number alone counts bytes)");
    }
    if (bytes > kMostMemory) return usage_error("--memory: more than 64 TiB", "give less than the host has");
    if (bytes % kPageSize != 0) {
        return usage_error("--memory: " + std::to_string(bytes) +
                           " bytes are no whole number of 4 KiB pages");
    }
    return {};
}

Result<void> check_cpus(uint32_t cpus) {
    if (cpus >= 1 && cpus <= kMostCpus) return {};
    return usage_error("--cpus: " + std::to_string(cpus) + " is not between 1 and " +
                       std::to_string(kMostCpus));
}

Result<void> check(const MachineConfig& config) {
    TRY(check_name(config.name));
    TRY(check_memory(config.memory_or_default()));
    TRY(check_cpus(config.cpus));
    if (config.backing == MemoryBacking::kHugetlb && config.memory_or_default() % kHugePageSize != 0) {
        return usage_error("--memory: huge pages need a multiple of 2M");
    }
    TRY(check_cpu_quota(config.cpu_quota));
    if (config.memory_quota) TRY(check_memory_quota(*config.memory_quota, config.memory_or_default()));
    if (config.memory_quota && config.backing != MemoryBacking::kAnonymous)
        return usage_error("--memory-quota: it isn't possible yet with --hugepages", "leave one of them out");
    if (config.balloon) TRY(check_balloon(*config.balloon, config.memory_or_default()));
    if (config.nets.size() > MachineConfig::kMostNets) {
        return usage_error("--net: a guest has at most " + std::to_string(MachineConfig::kMostNets) +
                           " network interfaces");
    }
    if (config.disks.size() + config.nets.size() > MachineConfig::kMostDisks) {
        return usage_error("--disk: a guest has at most " + std::to_string(MachineConfig::kMostDisks) +
                           " disks and network interfaces together");
    }
    if (config.boot.kernel.empty() && !config.boot.initrd.empty()) {
        return usage_error("--initrd: the embedded default guest takes none", "name a KERNEL before it");
    }
    if (config.boot.kernel.empty() && config.console == ConsoleKind::kVirtio) {
        return usage_error("--console: the embedded default guest has no driver for virtio",
                           "name a KERNEL, or leave --console out");
    }
    return {};
}

}  // namespace carrel
