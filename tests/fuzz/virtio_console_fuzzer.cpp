// A hostile driver of a console: chains of any shape in both queues, input, sizes, configuration writes and
// resets in any order. What comes out is bounded by what was sent, and what comes in by what was typed.
#include "tests/fuzz/script.h"
#include "tests/virtio/console_rig.h"

using namespace carrel;
using namespace carrel::virtio;
using namespace carrel::virtio::test;
using carrel::test::require;
using carrel::test::Script;

namespace {

constexpr std::array<uint32_t, 8> kLengths = {0, 1, 16, 4095, 4096, 4097, 0x10001, 0x40000};
// The last are not RAM, or end at its top.
constexpr std::array<uint64_t, 6> kBuffers = {kData,           kData + 0x1000, kData + 0x2000,
                                              kHighEnd - 4096, kLowEnd - 16,   0xffff'ffff'ffff'fff0};
constexpr size_t kMostDescriptors = 48;  // of the 64 that a ring has

struct Session {
    explicit Session(Script bytes) : script(bytes) {}

    void add(Driver& queue, size_t& descriptors) {
        const uint8_t shape = script.byte();
        Buffers buffers;
        for (unsigned i = 0; i < 1 + shape % 4u; ++i) {
            const uint8_t how = script.byte();
            buffers.push_back({script.pick(kBuffers), kLengths[how % 8u], (how & 8) != 0});
            if ((how & 8) == 0) sent += kLengths[how % 8u];
        }
        const bool table = (shape & 0x40) != 0;
        const size_t taken = table ? 1 : buffers.size();
        if (descriptors + taken > kMostDescriptors) return;
        descriptors += taken;
        if (table) {
            // One of its own: a shared one would send what isn't counted.
            queue.add_indirect(buffers, kTables + 0x100 * tables++);
        } else {
            queue.add(buffers);
        }
    }
    void step() {
        switch (script.byte() % 10) {
            case 0: return add(*side.receive, in_receive);
            case 1: return add(*side.transmit, in_transmit);
            case 2: return side.kick(*side.receive);
            case 3: return side.kick(*side.transmit);
            case 4: return type();
            case 5: return side.console.resize({script.byte(), script.byte()});
            case 6: return write_config();
            case 7: return side.run_again(1);
            case 8: return move_on();
            default: return reset();
        }
    }
    void type() {
        const std::string text(kLengths[script.byte() % 6u], 't');
        const size_t room = side.console.room();
        require(room <= Console::kLineRoom);
        side.type(text);
        typed += std::min(room, text.size());
    }
    void write_config() {
        const auto bytes = script.bytes(1 + script.byte() % 8u);
        sent += 1;
        if (!bytes.empty()) side.console.write_config(script.byte() % 16u, bytes);
    }
    // As a snapshot does: saved, and the same bytes again.
    void move_on() {
        require(side.console.quiesce(kSecond));
        ByteWriter writer;
        side.console.save(writer);
        ByteReader reader(writer.bytes());
        require(side.console.restore(reader).ok());
        side.console.resume();
    }
    void reset() {
        side.console.reset();
        side.agains.clear();
        require(side.start() == nullptr);
        in_receive = in_transmit = 0;
    }
    void run() {
        for (unsigned steps = 0; !script.done() && steps < 100; ++steps) step();
        side.run_again();
        require(side.agains.empty());
        size_t received = 0;
        while (const auto used = side.receive->get_used()) received += used->length;
        require(received <= typed && !side.broken);
        require(side.sink.text.size() <= sent);
    }

    Script script;
    ConsoleSide side;
    size_t in_receive = 0, in_transmit = 0, tables = 0;
    uint64_t sent = 0, typed = 0;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    Session(Script(std::as_bytes(std::span(data, size)))).run();
    return 0;
}
