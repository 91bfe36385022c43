#include "vmm/memory/guest_memory.h"

#include <fcntl.h>
#include <sys/sysinfo.h>

#include <array>
#include <bit>
#include <cerrno>
#include <cstdlib>

#include "vmm/base/check.h"
#include "vmm/base/crash_registry.h"
#include "vmm/base/fd.h"
#include "vmm/memory/fault_service.h"

namespace carrel {
namespace {

std::string mebibytes(uint64_t bytes) {
    return std::to_string(bytes / kMiB) + " MiB";
}

// What the pool of 2 MiB pages holds, as a piece of a sentence; nothing where it isn't asked or can't be
// read.
std::string huge_pages(MemoryBacking backing) {
    if (backing != MemoryBacking::kHugetlb) return {};
    const Fd pool(::open("/sys/kernel/mm/hugepages/hugepages-2048kB/free_hugepages", O_RDONLY | O_CLOEXEC));
    std::array<char, 24> text{};
    if (::read(pool.get(), text.data(), text.size() - 1) <= 0) return {};
    const uint64_t pages = std::strtoull(text.data(), nullptr, 10);
    return ", " + mebibytes(pages * kHugePageSize) + " in free huge pages";
}

Error no_memory(int code, uint64_t asked, MemoryBacking backing) {
    struct sysinfo info {};
    ::sysinfo(&info);
    const uint64_t unit = info.mem_unit;
    std::string what = "cannot get " + mebibytes(asked) + " for guest memory (the host has " +
                       mebibytes(info.totalram * unit) + ", " + mebibytes(info.freeram * unit) + " free" +
                       huge_pages(backing) + ")";
    std::string advice =
        backing == MemoryBacking::kHugetlb
            ? "reserve huge pages: echo N > /proc/sys/vm/nr_hugepages, 2 MiB each"
            : "give a smaller --memory, or raise the limit (ulimit -v, vm.overcommit_memory)";
    return os_error(code, std::move(what), std::move(advice));
}

// Room to move the base up to the next 2 MiB: KVM and transparent huge pages need GPA and HVA to agree modulo
// 2 MiB.
Result<Mapping> map_aligned(uint64_t size, int flags, int fd, MemoryBacking backing) {
    if (size > SIZE_MAX - kHugePageSize) return no_memory(ENOMEM, size, backing);
    void* room =
        ::mmap(nullptr, size + kHugePageSize, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (room == MAP_FAILED) return no_memory(errno, size, backing);
    auto* const start = static_cast<std::byte*>(room);
    const auto address = reinterpret_cast<uintptr_t>(start);
    const size_t skip = (kHugePageSize - address % kHugePageSize) % kHugePageSize;
    std::byte* const base = start + skip;
    if (skip != 0) ::munmap(start, skip);
    if (kHugePageSize != skip) ::munmap(base + size, kHugePageSize - skip);
    Mapping mapping = Mapping::adopt(base, size);
    if (::mmap(base, size, PROT_READ | PROT_WRITE, flags | MAP_FIXED, fd, 0) == MAP_FAILED) {
        return no_memory(errno, size, backing);
    }
    return mapping;
}

// A file in memory for the backings that have one; none for anonymous memory.
Result<Fd> backing_file(uint64_t size, MemoryBacking backing) {
    if (backing == MemoryBacking::kAnonymous) return Fd();
    const unsigned huge = backing == MemoryBacking::kHugetlb ? unsigned{MFD_HUGETLB} : 0u;
    Fd fd(::memfd_create("carrel-ram", MFD_CLOEXEC | huge));
    if (!fd.valid()) return no_memory(errno, size, backing);
    if (::ftruncate(fd.get(), static_cast<off_t>(size)) != 0) return no_memory(errno, size, backing);
    return fd;
}

// Address space costs nothing, so the kernel would agree; the guest would be killed when it uses what it was
// told it has.
bool more_than_host_has(uint64_t bytes) {
    struct sysinfo info {};
    if (::sysinfo(&info) != 0) return false;
    return bytes / info.mem_unit > info.totalram + info.totalswap;
}

}  // namespace

void WriteWindow::complete(size_t written) {
    CHECK(memory_ != nullptr);
    std::exchange(memory_, nullptr)->finish(bytes_, written);
}

std::span<std::byte> WriteWindow::detach() {
    CHECK(memory_ != nullptr);
    memory_ = nullptr;
    return bytes_;
}

Result<std::unique_ptr<GuestMemory>> GuestMemory::create(const RamMap& map, MemoryBacking backing) {
    const uint64_t size = map.total();
    if (more_than_host_has(size)) return no_memory(ENOMEM, size, backing);
    TRY_ASSIGN(const Fd file, backing_file(size, backing));
    const int flags = file.valid() ? MAP_SHARED : MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE;
    TRY_ASSIGN(Mapping mapping, map_aligned(size, flags, file.get(), backing));
    // Both are wishes: a kernel without transparent huge pages or core-dump filters works too.
    if (backing == MemoryBacking::kAnonymous) ::madvise(mapping.data(), size, MADV_HUGEPAGE);
    ::madvise(mapping.data(), size, MADV_DONTDUMP);
    ::madvise(mapping.data(), size, MADV_DONTFORK);  // a helper process must not keep it alive, nor write it
    return std::make_unique<GuestMemory>(map, std::move(mapping), backing);
}

GuestMemory::GuestMemory(RamMap map, Mapping mapping, MemoryBacking backing)
    : map_(std::move(map)),
      backing_(backing),
      mapping_(std::move(mapping)),
      dirty_(mapping_.size() / kPageSize) {
    uint64_t offset = 0;
    for (const RamRange& range : map_.ranges) {
        regions_.push_back(Region{range.base, range.size, mapping_.data() + offset});
        offset += range.size;
    }
    crash_registry::add_guest_memory(mapping_.data(), mapping_.size());
}

GuestMemory::~GuestMemory() {
    crash_registry::remove_guest_memory(mapping_.data());
    if (!keep_addresses_.load(std::memory_order_relaxed)) return;
    const std::span<std::byte> range = mapping_.release();
    (void)::mmap(range.data(), range.size(), PROT_NONE,
                 MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED, -1, 0);
}

bool GuestMemory::lost() const {
    return crash_registry::guest_memory_lost(mapping_.data());
}

Error GuestMemory::lost_error() const {
    if (backing_ == MemoryBacking::kHugetlb) {
        return host_error(
            "the host has no huge page left for guest memory" + huge_pages(backing_),
            "reserve more (/proc/sys/vm/nr_hugepages), raise the cgroup's hugetlb limit, or leave "
            "--hugepages out");
    }
    return host_error("the host can't give a page of guest memory",
                      "free memory, or give a smaller --memory");
}

std::byte* GuestMemory::translate(Gpa gpa, uint64_t length) const {
    for (const Region& region : regions_) {
        if (gpa < region.base) continue;
        const uint64_t offset = gpa - region.base;
        // offset first: `offset + length` could wrap.
        if (offset <= region.size && length <= region.size - offset) return region.host + offset;
    }
    return nullptr;
}

Result<void> GuestMemory::set_quota(Opener& opener, uint64_t limit, std::optional<SwapFile> file,
                                    const Clock& clock, MemoryListener& listener) {
    CHECK(backing_ == MemoryBacking::kAnonymous);
    TRY_ASSIGN(ChunkMapping chunks, ChunkMapping::create(opener, mapping_.bytes()));
    TRY_ASSIGN(quota_, FaultService::start(std::move(chunks), limit, std::move(file), clock, listener));
    return {};
}

bool GuestMemory::acquire(std::span<const std::byte> range) const {
    return quota_->acquire(range);
}
void GuestMemory::let_go(std::span<const std::byte> range) const {
    quota_->let_go(range);
}

Error GuestMemory::short_error() const {
    CHECK(quota_);  // without one, what is RAM can be had
    const uint64_t limit = quota_->report().limit;
    return usage_error(
        "the guest's memory quota of " + mebibytes(limit) + " is less than what is loaded into it",
        "raise --memory-quota");
}

std::optional<ReadWindow> GuestMemory::slice(Gpa gpa, uint64_t length) const {
    const std::byte* const host = translate(gpa, length);
    if (host == nullptr) return std::nullopt;
    if (quota_ && !acquire(std::span(host, length))) [[unlikely]]
        return std::nullopt;
    return ReadWindow(quota_ ? this : nullptr, std::span(host, length));
}

std::optional<WriteWindow> GuestMemory::window(Gpa gpa, uint64_t length) {
    std::byte* const host = translate(gpa, length);
    if (host == nullptr) return std::nullopt;
    if (quota_ && !acquire(std::span(host, length))) [[unlikely]]
        return std::nullopt;
    return WriteWindow(this, std::span(host, length));
}

std::optional<std::span<std::byte>> GuestMemory::place_of(Gpa gpa, uint64_t length) const {
    std::byte* const host = translate(gpa, length);
    if (host == nullptr) return std::nullopt;
    return std::span(host, length);
}

void GuestMemory::finish(std::span<std::byte> window, size_t written) {
    CHECK(written <= window.size());
    wrote(window.first(written));
    finish_read(window);
}

void GuestMemory::mark_dirty(std::span<const std::byte> bytes) {
    if (bytes.empty()) return;
    CHECK_MSG(bytes.data() >= mapping_.data() && bytes.size() <= mapping_.size() &&
                  static_cast<size_t>(bytes.data() - mapping_.data()) <= mapping_.size() - bytes.size(),
              "a write was told that isn't in guest memory");
    dirty_.mark(static_cast<uint64_t>(bytes.data() - mapping_.data()), bytes.size());
}

std::vector<Gpa> GuestMemory::take_dirty(Gpa gpa, uint64_t length) {
    constexpr uint64_t kBits = 64;
    std::vector<Gpa> pages;
    const std::byte* const host = translate(gpa, length);
    CHECK(host != nullptr && raw(gpa) % kPageSize == 0 && length % kPageSize == 0);
    const uint64_t first = static_cast<uint64_t>(host - mapping_.data()) / kPageSize;
    const uint64_t end = first + length / kPageSize;
    for (uint64_t word = first / kBits; word * kBits < end; ++word) {
        uint64_t mask = ~uint64_t{0};
        if (first > word * kBits) mask &= ~uint64_t{0} << (first - word * kBits);
        if (end < (word + 1) * kBits) mask &= ~(~uint64_t{0} << (end - word * kBits));
        for (uint64_t bits = dirty_.take(word, mask); bits != 0; bits &= bits - 1) {
            const uint64_t page = word * kBits + static_cast<uint64_t>(std::countr_zero(bits));
            pages.push_back(gpa + (page - first) * kPageSize);
        }
    }
    return pages;
}

bool GuestMemory::read_bytes(Gpa gpa, std::span<std::byte> to) const {
    const auto from = slice(gpa, to.size());
    if (!from) return false;
    if (!to.empty()) std::memcpy(to.data(), from->data(), to.size());
    return true;
}

bool GuestMemory::write_bytes(Gpa gpa, std::span<const std::byte> from) {
    auto to = window(gpa, from.size());
    if (!to) return false;
    if (!from.empty()) std::memcpy(to->bytes().data(), from.data(), from.size());
    to->complete(from.size());
    return true;
}

void GuestMemory::discard(Gpa gpa, uint64_t length) {
    std::byte* const host = translate(gpa, length);
    if (host != nullptr) give_back(std::span(host, length), kHugePageSize);
}

std::optional<uint64_t> GuestMemory::release(Gpa gpa, uint64_t length) {
    std::byte* const host = translate(gpa, length);
    if (host == nullptr) return std::nullopt;
    return release(std::span(host, length));
}

uint64_t GuestMemory::release(std::span<std::byte> bytes) {
    return give_back(bytes, backing_ == MemoryBacking::kHugetlb ? kHugePageSize : kPageSize);
}

// The whole pages among them. (Addresses of ours and of the guest agree modulo 2 MiB, see map_aligned.)
uint64_t GuestMemory::give_back(std::span<std::byte> bytes, uint64_t page) {
    const auto address = reinterpret_cast<uintptr_t>(bytes.data());
    const uint64_t skip = (page - address % page) % page;
    if (skip >= bytes.size()) return 0;
    const uint64_t length = (bytes.size() - skip) / page * page;
    if (length == 0) return 0;
    const auto whole = bytes.subspan(skip, length);
    // Each refuses the other's memory: a hole in the file, or private pages dropped.
    const int advice = backing_ == MemoryBacking::kAnonymous ? MADV_DONTNEED : MADV_REMOVE;
    const bool gone = quota_ ? quota_->discard(whole) : ::madvise(whole.data(), length, advice) == 0;
    if (!gone) return 0;
    wrote(whole);  // zeros
    return length;
}

}  // namespace carrel
