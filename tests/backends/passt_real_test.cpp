// With the passt that is installed, where one is: what a guest's first words on the network are.
#include "devices/backends/passt.h"
#include "tests/backends/frames.h"
#include "tests/backends/helpers.h"
#include "tests/backends/net_end.h"
#include "tests/virtio/loop_pump.h"

namespace carrel {
namespace {

using namespace test;

// A frame, written down field by field.
class Writer {
  public:
    Writer& bytes(std::initializer_list<int> values) {
        for (const int value : values) frame_.push_back(std::byte(value));
        return *this;
    }
    Writer& zeros(size_t count) {
        frame_.resize(frame_.size() + count);
        return *this;
    }
    Bytes done() { return frame_; }

  private:
    Bytes frame_;
};

// Who has 10.0.0.1? Tell 10.0.0.5. (RFC 826)
Bytes arp_request() {
    return Writer()
        .bytes({0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2, 0, 0, 0, 0, 5, 8, 6})
        .bytes({0, 1, 8, 0, 6, 4, 0, 1, 2, 0, 0, 0, 0, 5, 10, 0, 0, 5})
        .bytes({0, 0, 0, 0, 0, 0, 10, 0, 0, 1})
        .done();
}
bool is_arp_reply(const Bytes& frame) {
    return frame.size() >= 42 && frame[12] == std::byte{8} && frame[13] == std::byte{6} &&
           frame[21] == std::byte{2};
}

// DHCPDISCOVER (RFC 2131), in UDP from port 68 to 67, from nobody to all. Its checksum may be 0 (RFC 768).
Bytes dhcp_discover() {
    return Writer()
        .bytes({0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2, 0, 0, 0, 0, 5, 8, 0})
        .bytes({0x45, 0, 1, 0x10, 0, 0, 0, 0, 64, 17, 0x79, 0xde, 0, 0, 0, 0, 255, 255, 255, 255})
        .bytes({0, 68, 0, 67, 0, 0xfc, 0, 0})
        .bytes({1, 1, 6, 0, 1, 2, 3, 4})
        .zeros(20)
        .bytes({2, 0, 0, 0, 0, 5})
        .zeros(10 + 64 + 128)
        .bytes({0x63, 0x82, 0x53, 0x63, 53, 1, 1, 255})
        .done();
}
// An offer to us, and the address in it isn't 0.0.0.0.
bool is_dhcp_offer(const Bytes& frame) {
    return frame.size() > 282 && frame[23] == std::byte{17} && frame[35] == std::byte{67} &&
           frame[42] == std::byte{2} && frame[58] != std::byte{0};
}

}  // namespace

TEST_CASE("the passt that is installed answers ARP and DHCP, and does again when it was killed") {
    const SystemClock clock;
    const auto loop = EventLoop::create(clock).value();
    Pipe said;
    Log log(said.writer.get(), LogLevel::kInfo);
    DirectSpawner spawner;
    if (!find_in_path("passt")) {
        WARN("skipped: passt is not installed");
        return;
    }
    const auto passt = Passt::create({*loop, spawner, log}, {}).value();
    NetEnd guest;
    guest.connect(*passt);
    const auto answered = [&](const Bytes& question, bool (*is_answer)(const Bytes&)) {
        guest.got.clear();
        REQUIRE(guest.send(question) > 0);
        passt->flush(0);
        return pump_until(
                   *loop,
                   [&] { return std::ranges::any_of(guest.got, is_answer) || !guest.links.empty(); }) &&
               guest.links.empty();
    };
    if (!answered(arp_request(), is_arp_reply)) {
        std::array<char, 1024> text{};
        REQUIRE(::read(said.reader.get(), text.data(), text.size() - 1) > 0);
        WARN("skipped: passt doesn't run here: " << text.data());
        return;
    }
    CHECK(answered(dhcp_discover(), is_dhcp_offer));

    REQUIRE(::kill(passt->pid(), SIGKILL) == 0);
    REQUIRE(pump_until(*loop, [&] { return guest.links.size() == 2; }));
    CHECK(guest.links == std::vector<bool>{false, true});
    guest.links.clear();
    CHECK(answered(arp_request(), is_arp_reply));
    CHECK(answered(dhcp_discover(), is_dhcp_offer));
    CHECK(guest.clean);
}

}  // namespace carrel
