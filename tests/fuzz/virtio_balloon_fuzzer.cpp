// A hostile driver of a balloon: numbers of any pages, its own rings' among them, reports, hints and
// statistics of any shape, configuration writes, resets and moves. A page that nobody named keeps what is in
// it, and every chain but one of the statistics' comes back.
#include "devices/virtio/balloon/balloon.h"
#include "tests/fuzz/script.h"
#include "tests/virtio/device_rig.h"

using namespace carrel;
using namespace carrel::virtio;
using namespace carrel::virtio::test;
using carrel::test::require;
using carrel::test::Script;

namespace {

constexpr uint64_t kAllOfIt = kBalloonStatsVq | kBalloonDeflateOnOom | kBalloonFreePageHint |
                              kBalloonPagePoison | kBalloonPageReporting;
constexpr std::array<uint64_t, 3> kFeatures = {kAllOfIt, kBalloonStatsVq | kBalloonPageReporting, 0};
constexpr uint16_t kQueues = 5, kStatistics = 2;
constexpr uint16_t kMostOut = DeviceSide::kSize - 1;
constexpr uint64_t kGuard = 0x3c0000;
// The last are the rings', the end of RAM, not RAM, and none at all.
constexpr std::array<uint32_t, 10> kPages = {
    0x300, 0x301, 0x302, 0x3c1, 0x3bf, 0x10, 0xb0, kHighEnd / 4096 - 1, kLowEnd / 4096, 0xffff'ffff};
constexpr std::array<uint64_t, 8> kPlaces = {
    0x300000,        0x300800,      0x301000,     kGuard - 0x1000,
    kHighEnd - 4096, kLowEnd - 512, kDescriptors, 0xffff'ffff'ffff'f000};
constexpr std::array<uint32_t, 6> kLengths = {1, 512, 4096, 4097, 0x3000, 0x80000};

class Session {
  public:
    explicit Session(Script& script) : script_(script), features_(script.pick(kFeatures)) {
        side_.connect(*balloon_);
        require(side_.start(features_) == nullptr);
        guard();
    }
    ~Session() { balloon_->reset(); }

    void run() {
        for (unsigned steps = 0; !script_.done() && steps < 100; ++steps) step();
        for (uint16_t queue = 0; queue < kQueues && !rings_lost_; ++queue) kick(queue);
        if (!rings_lost_) require(!side_.broken);
        for (uint16_t queue = 0; queue < kQueues && !rings_lost_; ++queue)
            require(out_[queue] <= (queue == kStatistics ? 1u : 0u));
        require(guard_named_ || side_.memory->read<uint64_t>(Gpa{kGuard}) == kMark);
        require(balloon_->target() <= 0xffff);
    }

  private:
    static constexpr uint64_t kMark = 0x6472617567;

    void step() {
        const uint8_t what = script_.byte();
        const auto queue = static_cast<uint16_t>(what / 16 % kQueues);
        switch (what % 16) {
            case 0:
            case 1:
            case 2: return add_numbers(queue);
            case 3:
            case 4:
            case 5: return add_buffers(queue);
            case 6: return add_statistics();
            case 7: return balloon_->set_target(script_.number<uint16_t>());
            case 8: return balloon_->ask_statistics();
            case 9: return what & 0x10 ? balloon_->begin_hints() : balloon_->end_hints();
            case 10: return write_config();
            case 11: return read_config();
            case 12: return move_on();
            case 13: return reset();
            default: return kick(queue);
        }
    }
    void guard() { side_.memory->write(Gpa{kGuard}, kMark); }
    void named(uint64_t from, uint64_t length) {
        const uint64_t end = length > ~from ? ~uint64_t{0} : from + length;
        guard_named_ |= from <= kGuard && end > kGuard;
        rings_lost_ |= from < kData && end > kDescriptors;
    }
    // One descriptor of the ring; what it leads to may change while it waits.
    void add(uint16_t queue, const Buffers& buffers) {
        if (rings_lost_ || out_[queue] >= kMostOut) return;
        side_.drivers[queue]->add_indirect(buffers, kTables + queue * uint64_t{0x100});
        ++out_[queue];
    }
    void add_numbers(uint16_t queue) {
        std::vector<uint32_t> pages;
        const unsigned count = 1 + script_.byte() % 8u;
        for (unsigned i = 0; i < count; ++i) {
            const uint8_t choice = script_.byte();
            pages.push_back(choice & 0x80 ? script_.number<uint32_t>() : kPages[choice % kPages.size()]);
        }
        const uint64_t at = kData + queue * uint64_t{0x1000};
        side_.memory->write_bytes(Gpa{at}, std::as_bytes(std::span(pages)));
        // They are read when the chain is served, and by another queue's eyes as its own.
        for (const uint32_t page : pages) named(page * kBalloonPageSize, kBalloonPageSize);
        const auto bytes = static_cast<uint32_t>(pages.size() * 4);
        const uint32_t cut = script_.byte() % bytes;
        add(queue, cut == 0 ? Buffers{{at, bytes}} : Buffers{{at, cut}, {at + cut, bytes - cut}});
    }
    // Readable ones hold numbers, too: whatever lies there.
    void add_buffers(uint16_t queue) {
        Buffers buffers;
        const uint8_t shape = script_.byte();
        for (unsigned i = 0; i < 1 + shape % 4u; ++i) {
            const uint64_t place = script_.pick(kPlaces);
            const uint32_t length = script_.pick(kLengths);
            const bool writable = (shape & 0x10) == 0;
            if (writable) named(place, length);
            // Page 0 and what was put into memory before: taken for named all the same.
            if (!writable) guard_named_ = rings_lost_ = true;
            buffers.push_back({place, length, writable});
        }
        const bool lost = rings_lost_;
        rings_lost_ = false;
        add(queue, buffers);
        rings_lost_ = lost;
    }
    void add_statistics() {
        const auto bytes = script_.bytes(script_.byte() % 64u);
        side_.memory->write_bytes(Gpa{kData + 0x8000}, bytes);
        add(kStatistics, {{kData + 0x8000, static_cast<uint32_t>(bytes.size())}});
    }
    void kick(uint16_t queue) {
        side_.kick(queue);
        for (uint16_t i = 0; i < kQueues && !rings_lost_; ++i) collect(i);
    }
    void collect(uint16_t queue) {
        while (side_.drivers[queue]->get_used()) {
            require(out_[queue] > 0);
            --out_[queue];
        }
    }
    void write_config() {
        const uint64_t offset = script_.byte() % 20u;
        balloon_->write_config(offset, script_.bytes(1 + script_.byte() % 8u));
    }
    void read_config() {
        std::array<std::byte, 8> bytes{};
        balloon_->read_config(script_.byte() % 20u, std::span(bytes).first(1 + script_.byte() % 8u));
    }
    void move_on() {
        auto next = std::make_unique<Balloon>(0);
        const bool moved = side_.move_to(*next, features_);
        require(moved || rings_lost_);
        balloon_ = std::move(next);
        for (uint16_t i = 0; i < kQueues && !rings_lost_; ++i) collect(i);
    }
    void reset() {
        balloon_->reset();
        side_.forget_rings();
        out_ = {};
        rings_lost_ = false;
        require(side_.start(features_) == nullptr);
    }

    Script& script_;
    const uint64_t features_;
    DeviceSide side_;
    std::unique_ptr<Balloon> balloon_ = std::make_unique<Balloon>(0);
    std::array<unsigned, kQueues> out_{};
    bool guard_named_ = false, rings_lost_ = false;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    Script script(std::as_bytes(std::span(data, size)));
    Session(script).run();
    return 0;
}
