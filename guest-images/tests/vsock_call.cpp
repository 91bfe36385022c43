// Property: a stream to the host's port 1024 (VIRTIO 1.3, section 5.10) is answered: by a response, or where
// nobody listens, a reset. Options: n= (default 8), how many, one after the other. Prints PASS with how many
// of each, or FAIL.
#include "lib/boot_info.h"
#include "lib/clock_x86.h"
#include "lib/guest.h"
#include "lib/virtio_pci.h"

using namespace guest;

namespace {

constexpr Text kName = "vsock_call";
constexpr unsigned kSlot = 4;
constexpr unsigned kReceive = 0, kTransmit = 1, kEvents = 2;
constexpr std::uint64_t kPatience = 10000000, kHostCid = 2;
constexpr std::uint16_t kStream = 1, kRequest = 1, kResponse = 2, kReset = 3;

// 5.10.6
struct [[gnu::packed]] Header {
    std::uint64_t src_cid, dst_cid;
    std::uint32_t src_port, dst_port, length;
    std::uint16_t type, op;
    std::uint32_t flags, buf_alloc, fwd_cnt;
};

constinit QueueMemory memory[3] = {};
constinit VirtioQueue queues[3] = {};
constinit VirtioPci device;
alignas(64) constinit Header out = {}, in = {};

std::uint64_t address_of(const void* object) {
    return reinterpret_cast<std::uint64_t>(object);
}

void start() {
    if (!device.open(kSlot) || device.type() != kVirtioVsock) fail(kName, "no vsock in its slot");
    if (!device.reset() || !device.negotiate(kFeatureVersion1)) fail(kName, "it can't be negotiated with");
    for (unsigned q = kReceive; q <= kEvents; ++q) {
        queues[q].begin(memory[q], QueueMemory::kMost, false);
        device.set_queue(q, queues[q].place());
    }
    device.set_status(kVirtioAcknowledge | kVirtioDriver | kVirtioFeaturesOk | kVirtioDriverOk);
}

std::uint16_t answer_to_request(std::uint32_t port) {
    const Buffer room{address_of(&in), sizeof in, kDescWrite};
    queues[kReceive].offer(&room, 1);
    out = {read_physical<std::uint64_t>(device.device_config()),
           kHostCid,
           port,
           1024,
           0,
           kStream,
           kRequest,
           0,
           4096,
           0};
    const Buffer packet{address_of(&out), sizeof out};
    queues[kTransmit].offer(&packet, 1);
    device.notify(kTransmit);
    Used used;
    if (!queues[kTransmit].wait(used, kPatience)) fail(kName, "a request is never taken");
    if (!queues[kReceive].wait(used, kPatience)) fail(kName, "a request is never answered");
    if (read_physical<std::uint32_t>(address_of(&in) + 20) != port) fail(kName, "an answer to another port");
    return read_physical<std::uint16_t>(address_of(&in) + 30);
}

}  // namespace

extern "C" void guest_main() {
    clock_init();
    start();
    unsigned responses = 0, resets = 0;
    const unsigned count = static_cast<unsigned>(option_number("n", 8));
    for (unsigned i = 0; i < count; ++i) {
        const std::uint16_t op = answer_to_request(5000 + i);
        responses += op == kResponse;
        resets += op == kReset;
    }
    if (responses + resets != count) fail(kName, "an answer that is neither");
    pass(kName, responses, " responses, ", resets, " resets");
}
