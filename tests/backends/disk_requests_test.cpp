// How a request becomes operations, on a host that does less than it is asked for, later, or never.
#include "devices/backends/disk_requests.h"

#include <array>
#include <cerrno>
#include <climits>
#include <deque>
#include <vector>

#include "tests/backends/disk_rig.h"
#include "tests/catch.h"

using namespace carrel;
using namespace carrel::test;

namespace {

using Kind = DiskOperation::Kind;

// Ends what it is told to end, with what it is told.
class FakeIo final : public DiskIo {
  public:
    explicit FakeIo(std::vector<DiskOperation>& operations) : operations_(operations) {}
    void start(const DiskOperation& operation) override { operations_.push_back(operation); }
    bool submit() override { return true; }
    bool room() const override { return operations_.size() < 8; }
    unsigned under_way() const override { return static_cast<unsigned>(operations_.size()); }
    int event_fd() const override { return -1; }
    std::optional<Ended> reap() override {
        if (ended.empty()) return std::nullopt;
        const Ended one = ended.front();
        ended.pop_front();
        return one;
    }
    std::deque<Ended> ended;

  private:
    std::vector<DiskOperation>& operations_;
};

struct Side {
    explicit Side(uint32_t alignment = 0) {
        image.alignment = alignment;
        auto fake = std::make_unique<FakeIo>(operations);
        io = fake.get();
        requests = std::make_unique<DiskRequests>(image, std::move(fake), uint16_t{16});
    }
    // The oldest operation ends; the request where that ends one.
    std::optional<DiskRequests::Ended> end(int32_t result) {
        REQUIRE_FALSE(operations.empty());
        io->ended.push_back({operations.front().tag, result});
        operations.erase(operations.begin());
        return requests->reap();
    }
    void start(uint16_t tag, Kind kind, uint64_t offset, std::span<const iovec> pieces) {
        DiskRequest request;
        request.kind = kind;
        request.offset = offset;
        request.pieces = pieces;
        for (const iovec& piece : pieces) request.bytes += piece.iov_len;
        requests->start(tag, request);
    }
    DiskImage image;
    std::vector<DiskOperation> operations;
    FakeIo* io;
    std::unique_ptr<DiskRequests> requests;
};

std::byte* at(uintptr_t address) {
    return reinterpret_cast<std::byte*>(address);
}

}  // namespace

TEST_CASE("disk requests: what the kernel left over is asked for again, from where it stopped") {
    Side side;
    const std::array<iovec, 3> pieces{iovec{at(0x10000), 700}, iovec{at(0x20000), 324},
                                      iovec{at(0x30000), 1024}};
    side.start(3, GENERATE(Kind::kRead, Kind::kWrite), 4096, pieces);
    REQUIRE(side.operations.size() == 1);
    CHECK(side.operations[0].pieces.data() == pieces.data());  // nothing is copied where nothing needs to be
    CHECK_FALSE(side.end(512));
    REQUIRE(side.operations.size() == 1);
    CHECK(side.operations[0].offset == 4608);
    CHECK(side.operations[0].bytes == 1536);
    CHECK(side.operations[0].pieces.size() == 3);
    CHECK(side.operations[0].pieces[0].iov_base == at(0x10000 + 512));
    CHECK(side.operations[0].pieces[0].iov_len == 188);
    CHECK_FALSE(side.end(1000));  // not whole sectors: the half one again
    CHECK(side.operations.at(0).offset == 4608 + 512);
    CHECK(side.operations[0].pieces[0].iov_base == at(0x30000));
    CHECK_FALSE(side.end(-EINTR));
    CHECK_FALSE(side.end(-EAGAIN));
    CHECK(side.operations.at(0).offset == 4608 + 512);
    const auto ended = side.end(1024);
    REQUIRE(ended);
    CHECK(ended->tag == 3);
    CHECK(ended->error == 0);
    CHECK(side.requests->under_way() == 0);
}

TEST_CASE("disk requests: errors end them; nothing read or written is one; nothing is asked for ever") {
    const iovec piece{at(0x10000), 1024};
    const struct {
        Kind kind;
        int32_t result;
        int error;
    } cases[] = {{Kind::kRead, -EIO, EIO},        {Kind::kRead, 0, ENODATA}, {Kind::kRead, 511, ENODATA},
                 {Kind::kWrite, -ENOSPC, ENOSPC}, {Kind::kWrite, 0, ENOSPC}, {Kind::kSync, -EIO, EIO}};
    for (const auto& c : cases) {
        Side side;
        side.start(0, c.kind, 0, c.kind == Kind::kSync ? std::span<const iovec>() : std::span(&piece, 1));
        CHECK(side.end(c.result).value().error == c.error);
    }
    Side side;
    side.start(0, Kind::kRead, 0, {&piece, 1});
    std::optional<DiskRequests::Ended> ended;
    for (int i = 0; i < 100'000 && !ended; ++i) ended = side.end(-EAGAIN);
    CHECK(ended.value().error == EAGAIN);
}

TEST_CASE("disk requests: no call has more pieces or bytes than the kernel takes, and none is lost") {
    Side side;
    std::vector<iovec> pieces;
    SECTION("pieces, of odd lengths") {
        for (uintptr_t i = 0; i < 5120; ++i)
            pieces.push_back({at(0x100000 + i * 1000), i % 2 == 0 ? 301u : 211u});
    }
    SECTION("bytes") {
        for (uintptr_t i = 0; i < 5; ++i) pieces.push_back({at(i << 32), size_t{0x7800'0000}});
    }
    uint64_t bytes = 0;
    for (const iovec& piece : pieces) bytes += piece.iov_len;
    REQUIRE(bytes % 512 == 0);
    side.start(0, Kind::kWrite, 512, pieces);
    // As one list, what was asked for: each byte once, in order.
    size_t piece = 0;
    uint64_t skip = 0, next = 512;
    for (;;) {
        const DiskOperation operation = side.operations.at(0);
        REQUIRE(operation.offset == next);
        REQUIRE(operation.pieces.size() <= IOV_MAX);
        REQUIRE(operation.bytes <= DiskIo::kMostBytes);
        REQUIRE(operation.bytes % 512 == 0);
        uint64_t sum = 0;
        for (const iovec& part : operation.pieces) {
            REQUIRE(part.iov_base == static_cast<std::byte*>(pieces.at(piece).iov_base) + skip);
            skip += part.iov_len;
            sum += part.iov_len;
            REQUIRE(skip <= pieces[piece].iov_len);
            if (skip == pieces[piece].iov_len) skip = 0, ++piece;
        }
        REQUIRE(sum == operation.bytes);
        next += sum;
        if (const auto ended = side.end(static_cast<int32_t>(sum))) {
            CHECK(ended->error == 0);
            break;
        }
    }
    CHECK(next == 512 + bytes);
    CHECK(piece == pieces.size());
}

TEST_CASE("disk requests: what is under way is bounded, in number and bytes; more waits its turn") {
    Side side;
    const iovec large{at(0x10000), size_t{40} << 20}, huge{at(0x10000), size_t{100} << 20},
        small{at(0x10000), 512};
    side.start(0, Kind::kRead, 0, {&large, 1});
    side.start(1, Kind::kRead, 0, {&large, 1});
    side.start(2, Kind::kRead, 0, {&huge, 1});
    side.start(3, Kind::kRead, 0, {&small, 1});  // behind those that came before it
    CHECK(side.operations.size() == 1);
    CHECK(side.requests->under_way() == 4);
    CHECK(side.end(40 << 20).value().tag == 0);
    CHECK(side.operations.size() == 1);
    CHECK(side.end(40 << 20).value().tag == 1);
    CHECK(side.operations.size() == 1);  // more than may be, so it has the disk for itself
    CHECK(side.end(100 << 20).value().tag == 2);
    for (uint16_t tag = 4; tag < 16; ++tag) side.start(tag, Kind::kRead, 0, {&small, 1});
    CHECK(side.operations.size() == 8);  // all room that it has
    for (uint16_t tag = 3; tag < 16; ++tag) CHECK(side.end(512).value().tag == tag);
    CHECK(side.requests->under_way() == 0);
}

TEST_CASE("disk requests: with O_DIRECT what isn't aligned is done alone, by the other descriptor") {
    Side side(4096);
    const iovec good{at(0x10000), 4096}, odd_place{at(0x10200), 4096}, odd_length{at(0x10000), 512};
    const iovec odd = GENERATE_COPY(odd_place, odd_length);
    side.start(0, Kind::kWrite, 4096, {&good, 1});
    side.start(1, Kind::kWrite, 8192, {&odd, 1});
    side.start(2, Kind::kWrite, 16384, {&good, 1});
    REQUIRE(side.operations.size() == 1);
    CHECK(side.operations[0].file == 0);
    CHECK(side.end(4096));
    REQUIRE(side.operations.size() == 1);
    CHECK(side.operations[0].file == 1);
    CHECK(side.end(static_cast<int32_t>(odd.iov_len)));
    REQUIRE(side.operations.size() == 1);
    CHECK(side.operations[0].file == 0);
    side.start(3, Kind::kRead, 512, {&good, 1});  // its place isn't
    CHECK(side.operations.size() == 1);
    CHECK(side.end(4096));
    CHECK(side.operations.at(0).file == 1);
    CHECK(side.end(4096));
}

TEST_CASE("disk requests: cancelled, nothing new begins, and each still ends") {
    Side side;
    const iovec large{at(0x10000), size_t{40} << 20};
    for (uint16_t tag = 0; tag < 3; ++tag) side.start(tag, Kind::kRead, 0, {&large, 1});
    side.requests->cancel();
    CHECK(side.requests->reap().value().tag == 1);
    CHECK(side.requests->reap().value().tag == 2);
    CHECK_FALSE(side.requests->reap());
    CHECK(side.requests->under_way() == 1);
    const auto ended = side.end(512);  // and isn't continued
    CHECK(ended.value().error == ECANCELED);
    CHECK(side.requests->under_way() == 0);
    side.start(0, Kind::kRead, 0, {&large, 1});
    CHECK(side.end(40 << 20).value().error == 0);
}
