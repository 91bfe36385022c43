#include "vmm/machine/disk_pool.h"

#include <sys/eventfd.h>
#include <unistd.h>

#include <atomic>
#include <filesystem>
#include <fstream>
#include <string>
#include <thread>

#include "tests/catch.h"

using namespace carrel;

namespace {

constexpr Nanoseconds kLong = 30 * kSecond;  // the machines are shared

// A device that only counts how often it was called, and on how many threads.
class Counter final : public virtio::VirtioDevice {
  public:
    std::string_view name() const override { return "counter"; }
    virtio::DeviceType type() const override { return virtio::DeviceType::kBlock; }
    uint64_t features() const override { return 0; }
    std::span<const uint16_t> queue_sizes() const override { return sizes_; }
    void read_config(uint64_t, std::span<std::byte>) override {}
    void write_config(uint64_t, std::span<const std::byte>) override {}
    void connect(GuestMemory&, virtio::DeviceEvents&) override {}
    const char* activate(const virtio::Activation&) override { return nullptr; }
    bool reset_queue(uint16_t) override { return true; }
    const char* enable_queue(uint16_t, const virtio::QueueState&) override { return nullptr; }
    void notify(uint16_t) override {
        const Nanoseconds until = thread_cpu_time() + work;
        while (thread_cpu_time() < until) continue;
        notified.fetch_add(1);
    }
    int event_fd() const override { return event_.get(); }
    void wake() override { woken.fetch_add(1); }
    void reset() override {}
    bool quiesce(Nanoseconds) override { return true; }
    void resume() override {}
    std::vector<virtio::QueueState> queue_states() const override { return {}; }
    void save(ByteWriter&) const override {}
    Result<void> restore(ByteReader&) override { return {}; }

    void end_something() {
        const uint64_t one = 1;
        REQUIRE(::write(event_.get(), &one, sizeof one) == sizeof one);
    }
    std::atomic<int> notified{0};
    std::atomic<int> woken{0};
    std::atomic<Nanoseconds> work{0};

  private:
    const std::vector<uint16_t> sizes_{16};
    const Fd event_{::eventfd(0, EFD_CLOEXEC)};
};

class Account final : public ChargeSink {
  public:
    void charge(Nanoseconds cpu) override { charged.fetch_add(cpu); }
    Nanoseconds held_until() override { return 0; }
    std::atomic<Nanoseconds> charged{0};
};

struct Disk {
    Counter device;
    std::shared_ptr<Account> account = std::make_shared<Account>();
    std::unique_ptr<virtio::DeviceRunner> runner;
};

// By their names: a sanitizer may have one of its own.
size_t threads() {
    size_t count = 0;
    for (const auto& task : std::filesystem::directory_iterator("/proc/self/task")) {
        std::ifstream file(task.path() / "comm");
        std::string name;
        std::getline(file, name);
        count += name.starts_with("disk") ? 1 : 0;
    }
    return count;
}

bool reaches(const std::atomic<int>& value, int wanted) {
    const SystemClock clock;
    const Nanoseconds deadline = clock.now() + kLong;
    while (value < wanted && clock.now() < deadline) std::this_thread::yield();
    return value >= wanted;
}

}  // namespace

TEST_CASE("disk pool: disks without number are served by a bounded number of threads, which go with them") {
    constexpr size_t kDisks = 40;
    DiskPool pool;
    const size_t before = threads();
    {
        std::vector<std::unique_ptr<Disk>> disks;
        for (size_t i = 0; i < kDisks; ++i) {
            auto& disk = disks.emplace_back(std::make_unique<Disk>());
            disk->runner = pool.runner_for("disk-0", disk->device, disk->account).value();
        }
        CHECK(threads() == before + DiskPool::kOwn + DiskPool::kShared);
        for (auto& disk : disks) disk->runner->ring(0);
        for (auto& disk : disks) CHECK(reaches(disk->device.notified, 1));
        for (auto& disk : disks) {
            const int woken = disk->device.woken;
            disk->device.end_something();
            CHECK(reaches(disk->device.woken, woken + 1));
        }
        // Half of them go, and as many come: a machine that is rebuilt.
        for (size_t i = 0; i < kDisks; i += 2) {
            auto fresh = std::make_unique<Disk>();
            fresh->runner = pool.runner_for("disk-0", fresh->device, fresh->account).value();
            disks[i] = std::move(fresh);
        }
        CHECK(threads() <= before + DiskPool::kOwn + DiskPool::kShared);
        for (auto& disk : disks) {
            const int notified = disk->device.notified;
            disk->runner->ring(0);
            CHECK(reaches(disk->device.notified, notified + 1));
        }
    }
    CHECK(threads() == before);
}

TEST_CASE("disk pool: what a thread does for several guests is charged to each of them") {
    DiskPool pool;
    std::vector<std::unique_ptr<Disk>> disks;
    for (size_t i = 0; i < DiskPool::kOwn + 2 * DiskPool::kShared; ++i) {
        auto& disk = disks.emplace_back(std::make_unique<Disk>());
        disk->device.work = i % 2 == 0 ? 5 * kMillisecond : 0;
        disk->runner = pool.runner_for("disk-0", disk->device, disk->account).value();
    }
    for (auto& disk : disks) disk->runner->ring(0);
    for (auto& disk : disks) {
        CHECK(reaches(disk->device.notified, 1));
        disk->runner.reset();  // it has been charged then
    }
    for (size_t i = 0; i < disks.size(); ++i) {
        INFO("disk " << i);
        const Nanoseconds charged = disks[i]->account->charged;
        if (i % 2 == 0) {
            CHECK(charged >= 5 * kMillisecond);
        } else {
            CHECK(charged < 5 * kMillisecond);
        }
    }
}
