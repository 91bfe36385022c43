// What may change about a machine while it runs.
#include "vmm/machine/machine.h"

namespace carrel {

void Machine::set_balloon(uint64_t bytes) {
    sources_.balloon.size = bytes;  // for the devices of a rebuild
    if (virtio::Balloon* const balloon = hardware_.board->balloon())
        balloon->set_target(static_cast<uint32_t>(bytes / virtio::kBalloonPageSize));
}

void Machine::resize_console(WindowSize size) {
    window_ = size;
    hardware_.board->resize_console(size);
}

void Machine::set_net_rate(size_t place, const RateConfig& rate) {
    NetSource& net = sources_.nets.at(place);
    net.receive->change(rate);
    net.send->change(rate);
}

}  // namespace carrel
