#include "vmm/cli/statistics_text.h"

#include <fmt/format.h>

#include <array>

namespace carrel::cli {
namespace {

// "; lost: 3 …, 2 …", of what there is.
std::string losses_text(const InterfaceTraffic& net) {
    const struct {
        uint64_t count;
        const char* why;
    } losses[] = {
        {net.losses.unread, "unread by the guest"},
        {net.frames.too_long, "too long for its buffers"},
        {net.frames.filtered, "for other addresses"},
        {net.frames.stale, "of a kind that its driver doesn't take"},
        {net.frames.receive_errors, "that couldn't be received"},
        {net.frames.send_errors, "that couldn't be sent"},
        {net.losses.spoofed, "from another guest's address"},
        {net.frames.refused, "that were no frames"},
    };
    std::string text;
    for (const auto& loss : losses) {
        if (loss.count == 0) continue;
        text += fmt::format("{} {} {}", text.empty() ? "; lost:" : ",", loss.count, loss.why);
    }
    return text;
}

std::string traffic_text(const InterfaceTraffic& net) {
    return fmt::format("{}: {} frames in, {} bytes; {} frames out, {} bytes{}", net.device,
                       net.frames.received, net.frames.received_bytes, net.frames.sent, net.frames.sent_bytes,
                       losses_text(net));
}

// By their tags: VIRTIO 1.3, 5.5.6.4. Those that few people want are in the specification only.
constexpr std::array<const char*, 8> kToldBytes = {"swapped in", "swapped out", nullptr,     nullptr,
                                                   "free",       "total",       "available", "in caches"};

std::string balloon_text(const BalloonReport& balloon) {
    return fmt::format(
        "balloon: held at most {} KiB of {} KiB asked for; {} KiB went back to the host; {} pages refused",
        balloon.held / kKiB, balloon.target / kKiB, balloon.released / kKiB, balloon.refused_pages);
}

// Empty: nothing.
std::string told_text(const BalloonReport& balloon) {
    std::string told;
    for (size_t tag = 0; tag < kToldBytes.size(); ++tag) {
        if (kToldBytes[tag] == nullptr || !balloon.told[tag]) continue;
        told +=
            fmt::format("{}{} KiB {}", told.empty() ? "" : ", ", *balloon.told[tag] / kKiB, kToldBytes[tag]);
    }
    return told;
}

std::string swap_text(const SwapReport& swap) {
    return fmt::format("swap: {} KiB of its memory in {} KiB of the file; {} pages went out, {} came back",
                       swap.swapped / kKiB, swap.used / kKiB, swap.outs, swap.ins);
}

}  // namespace

std::vector<std::string> statistics_lines(const MachineStatistics& s) {
    std::vector<std::string> lines;
    lines.push_back(fmt::format("{} exits to userspace: {} port, {} MMIO, {} interrupted, {} other", s.exits,
                                s.port_exits, s.mmio_exits, s.interrupted, s.other_exits));
    if (s.unmapped_ports + s.unmapped_mmio != 0)
        lines.push_back(fmt::format("accesses that no device answered: {} port, {} MMIO", s.unmapped_ports,
                                    s.unmapped_mmio));
    for (const InterfaceTraffic& net : s.traffic) lines.push_back(traffic_text(net));
    for (const MalformedChains& wrong : s.malformed) {
        if (wrong.chains != 0)
            lines.push_back(fmt::format("{}: {} requests made no sense and went back unserved", wrong.device,
                                        wrong.chains));
    }
    if (s.balloon) {
        lines.push_back(balloon_text(*s.balloon));
        const std::string told = told_text(*s.balloon);
        if (!told.empty()) lines.push_back("the guest's memory, as it last told: " + told);
    }
    if (s.memory && s.memory->swap) lines.push_back(swap_text(*s.memory->swap));
    return lines;
}

}  // namespace carrel::cli
