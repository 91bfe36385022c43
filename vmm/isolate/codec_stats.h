// A guest's figures in a message. Bindings of all fields: one that is added and isn't listed here fails to
// build.
#pragma once

#include "vmm/host/guest_stats.h"
#include "vmm/isolate/codec.h"

namespace carrel::isolate {

template <class Codec, class... Fields>
void code_each(Codec& codec, Fields&... fields) {
    (code(codec, fields), ...);
}

template <class Codec>
void code(Codec& codec, MachineEnd& end) {
    auto& [reason, detail] = end;
    code_enum(codec, reason, EndReason::kUser);
    code(codec, detail);
}

template <class Codec>
void code(Codec& codec, MalformedChains& malformed) {
    auto& [device, chains] = malformed;
    code_each(codec, device, chains);
}

template <class Codec>
void code(Codec& codec, virtio::NetCounters& net) {
    auto& [received, received_bytes, sent, sent_bytes, filtered, too_long, stale, receive_errors, send_errors,
           refused] = net;
    code_each(codec, received, received_bytes, sent, sent_bytes, filtered, too_long, stale, receive_errors,
              send_errors, refused);
}

template <class Codec>
void code(Codec& codec, NetLosses& losses) {
    auto& [unread, spoofed] = losses;
    code_each(codec, unread, spoofed);
}

template <class Codec>
void code(Codec& codec, InterfaceTraffic& net) {
    auto& [device, frames, losses] = net;
    code_each(codec, device, frames, losses);
}

template <class Codec>
void code(Codec& codec, BalloonReport& balloon) {
    auto& [target, held, released, refused_pages, told] = balloon;
    code_each(codec, target, held, released, refused_pages, told);
}

template <class Codec>
void code(Codec& codec, SwapReport& swap) {
    auto& [size, used, swapped, ins, outs, trouble] = swap;
    code_each(codec, size, used, swapped, ins, outs, trouble);
}

template <class Codec>
void code(Codec& codec, MemoryReport& memory) {
    auto& [limit, charged, peak, denials, near, held, stuck, swap] = memory;
    code_each(codec, limit, charged, peak, denials, near, held, stuck, swap);
}

template <class Codec>
void code(Codec& codec, MachineStatistics& machine) {
    auto& [exits, port_exits, mmio_exits, interrupted, other_exits, unmapped_ports, unmapped_mmio, malformed,
           traffic, balloon, memory] = machine;
    code_each(codec, exits, port_exits, mmio_exits, interrupted, other_exits, unmapped_ports, unmapped_mmio,
              malformed, traffic, balloon, memory);
}

template <class Codec>
void code(Codec& codec, sched::VcpuTimes& times) {
    auto& [wall, run, quota, host_cpu, memory, halted, paused] = times;
    code_each(codec, wall, run, quota, host_cpu, memory, halted, paused);
}

template <class Codec>
void code(Codec& codec, VcpuSample& sample) {
    auto& [thread, times, halts_known] = sample;
    code_each(codec, thread, times, halts_known);
}

template <class Codec>
void code(Codec& codec, VcpuStats& vcpu) {
    auto& [exits, sample] = vcpu;
    code_each(codec, exits, sample);
}

template <class Codec>
void code(Codec& codec, GuestStats& stats) {
    auto& [time, up, restarts, machine, io, vcpus] = stats;
    code_each(codec, time, up, restarts, machine, io, vcpus);
}

}  // namespace carrel::isolate
