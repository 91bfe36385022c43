// Bytes from a client of the control socket, in pieces, through the reader of requests to the routes of a
// host without guests: each request is answered once, and nothing that comes out is larger than what may be
// kept.
#include <algorithm>
#include <cstdint>
#include <cstdlib>

#include "vmm/control/request_reader.h"
#include "vmm/control/routes.h"
#include "vmm/host/host.h"

using namespace carrel;

namespace {

struct Surroundings {
    SystemClock clock;
    DirectOpener opener;
    DirectSpawner spawner;
    Log log{-1, LogLevel::kError};
    std::unique_ptr<EventLoop> loop = EventLoop::create(clock).value();
    MachineShare share;
    Worker worker{*loop};
    // No guest fits, so none is made.
    Fleet fleet{GuestServices{opener, spawner, *loop, log, clock, share, worker}, HostResources{}};
};

void answer(Fleet& fleet, const control::Request& request) {
    if (request.body.size() > control::RequestReader::kMostBody) std::abort();
    unsigned answers = 0;
    control::serve(fleet, request, [&](const control::Answer& given) {
        ++answers;
        if (control::text_of(given, request.keep_alive).empty()) std::abort();
    });
    if (answers != 1) std::abort();
    (void)control::console_of(request);
    (void)control::is_event_stream(request);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    static Surroundings surroundings;
    if (size == 0) return 0;
    const size_t piece = size_t{data[0]} + 1;
    std::string_view bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
    control::RequestReader reader;
    while (!bytes.empty()) {
        reader.add(bytes.substr(0, piece));
        bytes.remove_prefix(std::min(piece, bytes.size()));
        for (;;) {
            auto next = reader.next();
            if (!next.ok()) return 0;
            if (!next->has_value()) break;
            answer(surroundings.fleet, **next);
        }
    }
    return 0;
}
