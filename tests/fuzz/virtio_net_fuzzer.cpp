// A hostile driver's frames, commands and receive buffers: chains of any shape on all queues, with frames
// that come in meanwhile, resets and rebuilds. Every chain comes back, none longer than it is, and nothing
// spins.
#include "tests/fuzz/script.h"
#include "tests/virtio/net_rig.h"

using namespace carrel;
using namespace carrel::virtio;
using namespace carrel::virtio::test;
using carrel::test::require;
using carrel::test::Script;

namespace {

constexpr std::array<uint64_t, 4> kFeatures = {kAll, kPlain, kPlain | kNetCtrl, kAll | kNetMultiqueue};
constexpr std::array<uint32_t, 12> kLengths = {0, 1, 2, 11, 12, 26, 60, 1526, 4096, 0x4000, 65536, 0x20000};
// The last are not RAM, or end at its top.
constexpr std::array<uint64_t, 6> kBuffers = {kData,          kData + 0x40000, kData + 0x80000,
                                              kHighEnd - 512, kLowEnd - 16,    0xffff'ffff'ffff'fff0};
constexpr std::array<size_t, 6> kFrames = {0, 13, 14, 60, 4000, 65600};
constexpr size_t kMostPieces = 8;

class Attack {
  public:
    explicit Attack(NetSide& side) : side_(side) {
        side.net->reset();
        side.forget_rings();
        for (auto& frames : side.backend.waiting) frames.clear();
        side.backend.sent.clear();
        require(side.start() == nullptr);
    }
    void run(Script& script) {
        while (!script.done()) step(script);
        require(!side_.broken);
        finish();
    }

  private:
    void step(Script& script) {
        const uint8_t what = script.byte();
        const auto queue = static_cast<uint16_t>(what / 16 % side_.queues);
        switch (what % 16) {
            case 0:
            case 1:
            case 2:
            case 3:
            case 4: return add(queue, script);
            case 5: return side_.kick(queue);
            case 6: side_.backend.full = !side_.backend.full; return;
            case 7: return side_.backend.listener->room(queue / 2u % 2);
            case 8:
            case 9: return offer(script, queue / 2u % 2);
            case 10: side_.backend.loop(); return;
            case 11: return command(script);
            case 12: require(side_.rebuild()); return;
            case 13: side_.backend.listener->link_changed(); return;
            default: return collect();
        }
    }
    void add(uint16_t queue, Script& script) {
        if (out_[queue] + kMostPieces > NetSide::kSize) return;
        Buffers buffers;
        const uint8_t shape = script.byte();
        uint32_t writable = 0;
        for (unsigned i = 0; i < 1u + shape % kMostPieces; ++i) {
            const uint8_t how = script.byte();
            buffers.push_back({script.pick(kBuffers), kLengths[how % kLengths.size()], (how & 0x80) != 0});
            if (buffers.back().writable) writable += buffers.back().length;
        }
        const bool indirect = (shape & 0x80) != 0;
        const uint16_t id = indirect
                                ? side_.on(queue).add_indirect(buffers, kTables + (table_++ % 512) * 0x100)
                                : side_.on(queue).add(buffers);
        lengths_[queue][id] = writable;
        out_[queue] += indirect ? 1 : buffers.size();
        sizes_[queue][id] = indirect ? 1 : buffers.size();
        side_.on(queue).publish();
    }
    void offer(Script& script, unsigned pair) {
        if (side_.backend.waiting[pair].size() > 8) return;
        NetHeader header{};
        header.flags = script.byte();
        header.gso_type = script.byte();
        side_.backend.offer(make_frame(script.pick(kFrames), 1, script.byte() % 2 == 0 ? kOwn : kOther),
                            header, pair);
    }
    // Bytes of the script as a command, in two pieces.
    void command(Script& script) {
        const uint16_t queue = side_.control();
        if (out_[queue] + 3 > NetSide::kSize) return;
        const auto bytes = script.bytes(2 + script.byte() % 128u);
        if (bytes.empty()) return;
        side_.memory->write_bytes(Gpa{NetSide::kControlAt}, bytes);
        const auto first = static_cast<uint32_t>(1 + bytes.size() / 2),
                   all = static_cast<uint32_t>(bytes.size());
        const uint16_t id = side_.on(queue).add({{NetSide::kControlAt, std::min(first, all)},
                                                 {NetSide::kControlAt + first, all - std::min(first, all)},
                                                 {NetSide::kControlAt + 0x8000, 1, true}});
        lengths_[queue][id] = 1;
        sizes_[queue][id] = 3;
        out_[queue] += 3;
        side_.kick(queue);
    }
    void collect() {
        for (uint16_t queue = 0; queue < side_.queues; ++queue) {
            while (const auto used = side_.on(queue).get_used()) {
                const auto id = static_cast<uint16_t>(used->id);
                require(lengths_[queue].contains(id) && used->length <= lengths_[queue][id]);
                out_[queue] -= sizes_[queue][id];
                lengths_[queue].erase(id);
                sizes_[queue].erase(id);
            }
        }
    }
    // All that was sent comes back; what was given for frames that never came stays.
    void finish() {
        side_.backend.full = false;
        for (unsigned pair = 0; pair < 2; ++pair) side_.backend.listener->room(pair);
        for (uint16_t queue = 0; queue < side_.queues; ++queue) side_.kick(queue);
        side_.backend.loop();
        collect();
        require(lengths_[1].empty());
        side_.net->reset();
    }

    NetSide& side_;
    std::map<uint16_t, std::map<uint16_t, uint32_t>> lengths_;  // writable bytes of the chains that are out
    std::map<uint16_t, std::map<uint16_t, size_t>> sizes_;      // their places in the ring
    std::map<uint16_t, size_t> out_;
    uint64_t table_ = 0;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    if (size == 0) return 0;
    Script script(std::as_bytes(std::span(data, size)).subspan(1));
    static std::array<std::unique_ptr<NetSide>, 2 * kFeatures.size()> sides;
    const size_t which = data[0] % sides.size();
    if (!sides[which]) sides[which] = std::make_unique<NetSide>(kFeatures[which / 2], 2, which % 2 != 0);
    Attack(*sides[which]).run(script);
    return 0;
}
