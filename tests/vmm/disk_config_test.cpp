// What may be said after --disk.
#include "tests/catch.h"
#include "vmm/model/machine_config.h"

using namespace carrel;

namespace {

DiskConfig disk(std::string path, bool read_only = false, std::string id = {}) {
    DiskConfig config;
    config.path = std::move(path);
    config.read_only = read_only;
    config.id = std::move(id);
    return config;
}

}  // namespace

TEST_CASE("--disk: a file, whether it is read-only, its id, in any order") {
    CHECK(parse_disk("a.img").value() == disk("a.img"));
    CHECK(parse_disk("a.img,ro").value() == disk("a.img", true));
    CHECK(parse_disk("a.img,id=root").value() == disk("a.img", false, "root"));
    CHECK(parse_disk("a.img,id=root,ro").value() == disk("a.img", true, "root"));
    CHECK(parse_disk("a.img,ro,id=root").value() == disk("a.img", true, "root"));
    CHECK(parse_disk("/dev/vg0/a=b").value() == disk("/dev/vg0/a=b"));
    CHECK(parse_disk("ro").value() == disk("ro"));  // a file of that name
    CHECK(parse_disk("id=1").value() == disk("id=1"));
    CHECK(parse_disk(" a b ").value() == disk(" a b "));
}

TEST_CASE("--disk: a comma in a name is written twice") {
    CHECK(parse_disk("a,,b").value() == disk("a,b"));
    CHECK(parse_disk("a,,ro").value() == disk("a,ro"));
    CHECK(parse_disk("a,,,ro").value() == disk("a,", true));
    CHECK(parse_disk("a,,,,b").value() == disk("a,,b"));
    CHECK(parse_disk(",,").value() == disk(","));
    CHECK(parse_disk(",,,ro").value() == disk(",", true));
    CHECK(parse_disk("a,id=x,,y,ro").value() == disk("a", true, "x,y"));
}

TEST_CASE("--disk: what isn't understood is refused by its word, never ignored") {
    for (const char* text : {"",
                             ",ro",
                             ",",
                             "a,",
                             "a,ro,",
                             "a,,,",
                             "a,RO",
                             "a,rw",
                             "a, ro",
                             "a,ro=1",
                             "a,id",
                             "a,overlay=",
                             "a,cache=",
                             "a,cache=unsafe",
                             "a,queues=",
                             "a,queues=0",
                             "a,queues=17",
                             "a,queues=1x",
                             "a,queues=-1",
                             "a,ro,overlay",
                             "a,overlay=b,ro",
                             "a,overlay,cache=none",
                             "a,bps=",
                             "a,bps=0",
                             "a,bps=fast",
                             "a,bps=1048577T",
                             "a,ops=",
                             "a,ops=0",
                             "a,ops=-1",
                             "a,ops=1K",
                             "a,ops=4294967296",
                             "a,burst=10ms",
                             "a,bps=1M,burst=",
                             "a,bps=1M,burst=4ms",
                             "a,bps=1M,burst=61s",
                             "a,cache"}) {
        INFO("'" << text << "'");
        const auto result = parse_disk(text);
        REQUIRE_FALSE(result.ok());
        CHECK(result.error().fault == Fault::kUsage);
        CHECK(result.error().what.starts_with("--disk: "));
        CHECK_FALSE(result.error().advice.empty());
    }
    CHECK(parse_disk("a,wrong,ro").error().what.find("'wrong'") != std::string::npos);
}

TEST_CASE("--disk: how it is cached, its queues, its overlay") {
    using Cache = DiskConfig::Cache;
    CHECK(parse_disk("a").value().cache == Cache::kWriteBack);
    CHECK(parse_disk("a,cache=writeback").value().cache == Cache::kWriteBack);
    CHECK(parse_disk("a,ro,cache=none").value().cache == Cache::kNone);
    CHECK(parse_disk("a,cache=writethrough").value().cache == Cache::kWriteThrough);
    CHECK(parse_disk("a").value().queues_for(1) == 1);
    CHECK(parse_disk("a").value().queues_for(3) == 3);
    CHECK(parse_disk("a").value().queues_for(64) == DiskConfig::kMostUnasked);
    CHECK(parse_disk("a,queues=1").value().queues_for(64) == 1);
    CHECK(parse_disk("a,queues=16").value().queues == 16);
    CHECK_FALSE(parse_disk("a").value().overlay);
    CHECK(parse_disk("a,overlay,cache=writethrough").value().overlay);
    CHECK(parse_disk("a,overlay=b,,c").value().overlay_path == "b,c");
    CHECK(parse_disk("a,overlay=b").value().overlay);
}

TEST_CASE("--disk: what it may do in a second") {
    CHECK_FALSE(parse_disk("a").value().rate.limits());
    CHECK(parse_disk("a,bps=100M").value().rate == RateConfig{100 * kMiB, 0, {}});
    CHECK(parse_disk("a,ops=500,ro").value().rate == RateConfig{0, 500, {}});
    CHECK(parse_disk("a,burst=1s,bps=1,ops=1").value().rate == RateConfig{1, 1, kSecond});
    CHECK(parse_disk("a,bps=1048576T").value().rate.bytes == RateConfig::kMost);
    CHECK(RateConfig{}.burst_or_default() == 10 * kMillisecond);
}

TEST_CASE("--disk: an id has at most 20 characters") {
    CHECK(parse_disk("a,id=" + std::string(20, 'x')).value().id.size() == 20);
    CHECK_FALSE(parse_disk("a,id=" + std::string(21, 'x')).ok());
    CHECK(parse_disk("a,id=").value().id.empty());  // as if it weren't there
}

TEST_CASE("--disk: a guest has at most 24 disks and network interfaces") {
    MachineConfig config;
    config.boot.kernel = "vmlinuz";
    for (size_t i = 0; i < MachineConfig::kMostDisks; ++i)
        config.disks.push_back(disk("d" + std::to_string(i)));
    CHECK(check(config).ok());
    config.disks.push_back(disk("one too many"));
    REQUIRE_FALSE(check(config).ok());
    CHECK(check(config).error().what.starts_with("--disk: "));
    config.disks.pop_back();
    config.nets.emplace_back();
    REQUIRE_FALSE(check(config).ok());
    CHECK(check(config).error().what.starts_with("--disk: "));
    config.disks.pop_back();
    CHECK(check(config).ok());
    config.disks.resize(16);
    config.nets.resize(MachineConfig::kMostNets);
    CHECK(check(config).ok());
}
