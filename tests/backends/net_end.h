// A device in front of a network backend, as the tests need one.
#pragma once

#include <array>
#include <vector>

#include "devices/backends/net_backend.h"
#include "tests/backends/frames.h"

namespace carrel::test {

class NetEnd final : public NetListener {
  public:
    void connect(NetBackend& to) {
        backend = &to;
        to.attach(*this);
        to.agree(0, 1);
        want(true);
    }
    void want(bool on) { backend->watch(0, on); }
    ssize_t send(const Bytes& frame) {
        NetHeader header{};
        std::vector<iovec> pieces = pieces_of(frame, 2);
        pieces.insert(pieces.begin(), {&header, sizeof header});
        return backend->send(0, pieces);
    }

    void frames_waiting(unsigned) override {
        ++told;
        for (size_t i = 0; i < most; ++i) {
            if (got.size() == buffers) return want(false);
            NetHeader header{1, 1, 1, 1, 1, 1, 0};
            Bytes front(100), rest(70000);
            const std::array<iovec, 3> pieces{
                {{&header, sizeof header}, {front.data(), front.size()}, {rest.data(), rest.size()}}};
            const ssize_t bytes = backend->receive(0, pieces);
            if (bytes < 0) return;
            front.insert(front.end(), rest.begin(), rest.end());
            front.resize(static_cast<size_t>(bytes) - sizeof header);
            got.push_back(std::move(front));
            clean = clean && header.flags == 0 && header.gso_type == 0 && header.csum_start == 0;
        }
    }
    void room(unsigned) override { ++rooms; }
    void link_changed() override { links.push_back(backend->link_up()); }

    NetBackend* backend = nullptr;
    size_t most = 64;           // frames a turn
    size_t buffers = SIZE_MAX;  // for so many, then it wants no more
    std::vector<Bytes> got;
    std::vector<bool> links;
    int told = 0, rooms = 0;
    bool clean = true;  // each header was zeros
};

}  // namespace carrel::test
