// DiskRequests: a guest's requests to one image, each as the operations that it takes.
//
// Mostly one. More where the kernel did less than it was asked for, where a request is longer than a system
// call takes, or where its sectors lie partly in the image and partly in its overlay: then one after the
// other.
//
//   start ─► (waits its turn) ─► operation ─► operation ─► … ─► Ended
//
// It waits where as much as may be is under way already. And with O_DIRECT a request that isn't aligned is
// done alone, through the page cache: a page that is changed both ways at once would lose what one of them
// wrote.
#pragma once

#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "devices/backends/disk_image.h"
#include "devices/backends/disk_io.h"

namespace carrel {

// Whole sectors.
struct DiskRange {
    uint64_t offset;
    uint64_t bytes;
};

// What it points to stays until the request has ended.
struct DiskRequest {
    DiskOperation::Kind kind = DiskOperation::Kind::kRead;
    bool durable = false;           // a write or range that is on the medium when it ends
    std::span<const iovec> pieces;  // of a read or write: `bytes` in all, whole sectors
    uint64_t offset = 0;
    uint64_t bytes = 0;
    std::span<const DiskRange> ranges;  // of kPunch and kZero
};

// One thread at a time.
class DiskRequests {
  public:
    // Bytes under way at a time; a request of more is done alone.
    static constexpr uint64_t kMostBytes = uint64_t{64} << 20;

    // Requests have tags below `places`. `image` outlives this.
    // `charge` as of make_disk_io().
    static Result<std::unique_ptr<DiskRequests>> create(const DiskImage& image, uint16_t places,
                                                        std::shared_ptr<ChargeSink> charge = nullptr);
    DiskRequests(const DiskImage& image, std::unique_ptr<DiskIo> io, uint16_t places);

    // 0 or an errno where an image in memory lets it be done at once; nothing where it must be started.
    std::optional<int> now(const DiskRequest& request) const;
    void start(uint16_t tag, const DiskRequest& request);
    // As DiskIo's. Also what reap() has let go on.
    bool submit() { return io_->submit(); }
    struct Ended {
        uint16_t tag;
        int error;  // an errno, or 0
    };
    std::optional<Ended> reap();
    // With those that wait.
    size_t under_way() const { return begun_ + waiting_count_; }
    // No operation is started any more: those under way end their requests with ECANCELED, and so do those
    // that wait. Until nothing is under way.
    void cancel() { cancelled_ = under_way() > 0; }

    int event_fd() const { return io_->event_fd(); }

  private:
    struct Progress {
        DiskRequest request;
        uint64_t done = 0;   // bytes, or ranges
        uint64_t step = 0;   // bytes of the operation under way
        unsigned tries = 0;  // in a row that the kernel wanted to be asked again
        bool alone = false;
        bool syncing = false;  // all is written, but not on the medium yet
        bool here = false;     // the operation is in the overlay
        std::vector<iovec> rest;
    };
    bool fits(const DiskRequest& request) const;
    bool may_begin(const Progress& progress) const;
    void begin(uint16_t tag);
    uint16_t take_waiting();
    void step(uint16_t tag);
    void fill_transfer(Progress& progress, DiskOperation& operation) const;
    void fill_range(const Progress& progress, DiskOperation& operation) const;
    std::optional<int> advance(Progress& progress, int32_t result);
    std::optional<int> advance_transfer(Progress& progress, uint64_t bytes);
    std::optional<int> settled(Progress& progress) const;
    Ended end(uint16_t tag, int error);

    const DiskImage& image_;
    DiskOverlay* const overlay_;
    const std::unique_ptr<DiskIo> io_;
    std::vector<Progress>
        places_;  // by tag, as far as there were any: what is reserved and untouched costs nothing
    std::vector<uint16_t> waiting_;  // a ring of tags
    size_t first_waiting_ = 0;
    size_t waiting_count_ = 0;
    size_t begun_ = 0;
    uint64_t bytes_ = 0;  // of those that have begun
    bool alone_ = false;  // there is one that others wait for
    bool cancelled_ = false;
};

}  // namespace carrel
