#include "vmm/machine/machine_statistics.h"

#include <algorithm>

#include "devices/virtio/balloon/balloon.h"
#include "vmm/machine/machine.h"

namespace carrel {
namespace {

// What a balloon says now, after its predecessors have given back what `past` says.
BalloonReport since(const BalloonReport& past, const virtio::Balloon& balloon) {
    using virtio::kBalloonPageSize;
    BalloonReport report;
    report.target = balloon.target() * kBalloonPageSize;
    report.held = std::max(past.held, balloon.most_actual() * kBalloonPageSize);
    report.released = past.released + balloon.released_bytes();
    report.refused_pages = past.refused_pages + balloon.refused_pages();
    const virtio::BalloonStatistics told = balloon.statistics();
    for (size_t tag = 0; tag < told.size(); ++tag)
        report.told[tag] = told[tag] != virtio::kNotTold ? std::optional(told[tag]) : past.told[tag];
    return report;
}

}  // namespace

void Machine::settle_vcpus() {
    for (VcpuSampler& sampler : samplers_) sampler.settle();
}

std::vector<std::optional<VcpuSample>> Machine::sample_vcpus() {
    std::vector<std::optional<VcpuSample>> samples;
    for (VcpuSampler& sampler : samplers_) samples.push_back(sampler.sample());
    return samples;
}

std::vector<uint64_t> Machine::vcpu_exits() const {
    std::vector<uint64_t> exits;
    for (const auto& vcpu : hardware_.vcpus) exits.push_back(vcpu->exits());
    return exits;
}

MachineStatistics Machine::statistics() const {
    MachineStatistics s = past_;
    for (const auto& vcpu : hardware_.vcpus) s.exits += vcpu->exits();
    for (const auto& runner : runners_) {
        s.port_exits += runner->counts().get(ExitCounts::kPort);
        s.mmio_exits += runner->counts().get(ExitCounts::kMmio);
        s.interrupted += runner->counts().get(ExitCounts::kInterrupted);
        s.other_exits += runner->counts().get(ExitCounts::kOther);
    }
    s.unmapped_ports += hardware_.board->ports().unmapped();
    s.unmapped_mmio += hardware_.board->mmio().unmapped();
    auto malformed = hardware_.board->malformed();  // a rebuilt machine has the same devices
    for (size_t i = 0; i < s.malformed.size(); ++i) malformed[i].chains += s.malformed[i].chains;
    s.malformed = std::move(malformed);
    auto traffic = hardware_.board->traffic();
    for (size_t i = 0; i < s.traffic.size(); ++i) traffic[i].frames += s.traffic[i].frames;
    s.traffic = std::move(traffic);
    if (const virtio::Balloon* const balloon = hardware_.board->balloon())
        s.balloon = since(s.balloon.value_or(BalloonReport{}), *balloon);
    s.memory = memory_report();
    return s;
}

}  // namespace carrel
