// What `carrel top` makes of what a host's control socket says.
#include "vmm/app/top_reading.h"

#include <map>

#include "tests/catch.h"
#include "vmm/model/gpa.h"

using namespace carrel;
using namespace carrel::app;

namespace {

using Answers = std::map<std::string, std::string>;

Result<TopReading> reading_of(const Answers& answers) {
    return take_reading(
        [&answers](const std::string& target) -> Result<std::string> {
            const auto found = answers.find(target);
            if (found == answers.end()) return usage_error("no such guest");
            return found->second;
        },
        5);
}

// As vmm/control writes it.
Answers answers() {
    return {{"/host", R"({"guests": 2, "cpu": {"total": 2000000, "promised": 100000, "free": 1900000},
                          "memory": {"total": 8000000000, "promised": 1000000000},
                          "disk": {"total": 0, "promised": 1048576}, "policy": "weighted-fair"})"},
            {"/guests",
             R"({"guests": [{"name": "web", "state": "running"}, {"name": "gone"}, {"name": "idle"}]})"},
            {"/guests/web", R"({"name": "web", "state": "running", "cpus": 2, "config":
                {"name": "web", "kernel": "k", "cpus": 2, "cpu-cap": "25%", "cpu-reserve": "10%", "memory-quota": "64M"}})"},
            {"/guests/web/stats", R"({"name": "web", "time": 1795712074154892256, "up": 500,
                "vcpus": [{"exits": 7, "times": {"wall": 400, "run": 100, "quota": 200, "host-cpu": 5, "memory": 7, "halted": 95}},
                          {"exits": 9}, {"times": {"run": 11}}],
                "resident": 4096, "swap": {"size": 9, "used": 4096, "swapped": 8192, "ins": 1, "outs": 3},
                "nets": [{"received-bytes": 10, "sent-bytes": 20}, {"sent-bytes": 3}]})"},
            {"/guests/idle", R"({"name": "idle", "state": "created", "config": {"name": "idle"}})"}};
}

}  // namespace

TEST_CASE("top: a reading is the host, its guests, and each one's figures") {
    const auto reading = reading_of(answers());
    REQUIRE(reading.ok());
    CHECK(reading->time == 5);
    CHECK(reading->policy == "weighted-fair");
    CHECK(*reading->cpu.total == 2.0);
    CHECK(*reading->cpu.free() == 1.9);
    CHECK(*reading->memory.free() == 7e9);
    CHECK_FALSE(reading->disk.total);
    CHECK(*reading->disk.promised == 1048576);
    CHECK_FALSE(reading->net.promised);
    REQUIRE(reading->guests.size() == 2);  // one went meanwhile
    const auto& web = reading->guests[0];
    CHECK(web.what.name == "web");
    CHECK(web.what.state == "running");
    CHECK(web.what.vcpus == 2);
    CHECK(*web.what.cap == 0.25);
    CHECK(*web.what.reserve == 0.1);
    CHECK(*web.what.weight == 100);
    CHECK(*web.what.quota == 64 * kMiB);
    CHECK(*web.what.resident == 4096);
    CHECK(*web.what.swapped == 8192);
    CHECK(web.time == 1795712074154892256);
    CHECK(*web.counters.run == 111);
    CHECK(*web.counters.waiting_quota == 200);
    CHECK(*web.counters.waiting_cpu == 5);
    CHECK(*web.counters.steal == 212);  // what its own top would show: all three waits
    CHECK(*web.counters.net_bytes == 33);
    CHECK_FALSE(web.counters.disk_bytes);
    CHECK(reading->guests[1].what.state == "created");
    CHECK_FALSE(reading->guests[1].counters.run);
}

TEST_CASE("top: a host that isn't understood is an error, nonsense about a guest isn't believed") {
    for (const char* target : {"/host", "/guests"}) {
        for (const char* text : {"", "[]", "3", "{", "\xff", "null"}) {
            Answers bad = answers();
            bad[target] = text;
            CHECK_FALSE(reading_of(bad).ok());
        }
        Answers missing = answers();
        missing.erase(target);
        CHECK_FALSE(reading_of(missing).ok());
        missing[target] = "{}";
        CHECK(reading_of(missing).ok());
    }
    for (const char* text :
         {R"({"vcpus": 3, "nets": {}})", R"({"vcpus": [3, {"times": []}], "nets": [null]})",
          R"({"time": -1, "vcpus": [{"times": {"run": -5, "quota": 18446744073709551615}}]})",
          R"({"time": 1e300, "vcpus": [{"times": {"run": "x"}}]})"}) {
        Answers bad = answers();
        bad["/guests/web/stats"] = text;
        const auto reading = reading_of(bad);
        REQUIRE(reading.ok());
        CHECK_FALSE(reading->guests[0].counters.run);
        CHECK_FALSE(reading->guests[0].counters.waiting_quota);
    }
    Answers bad = answers();
    bad["/guests/web"] = R"({"state": 7, "config": {"memroy": 1}})";
    CHECK_FALSE(reading_of(bad)->guests[0].what.cap);
    bad["/guests"] = R"({"guests": [{"name": "../host"}, {"name": "a b\r\nHost: x"}, 7, {}]})";
    CHECK(reading_of(bad)->guests.empty());
}

TEST_CASE("top: placement is the CPU that is wanted most, and the last move, before and after") {
    Answers told = answers();
    told["/host"] = R"({"placement": {"how": "spread", "moves": 3,
        "cpus": [{"cpu": 0, "guests": 1, "load": {"run": 1000000, "waited": 0}},
                 {"cpu": 5, "guests": 4, "load": {"run": 700000, "waited": 900000}}],
        "last": {"guest": "web", "from": "0", "to": "5", "before": {"run": 500000, "waited": 490000}, "after": null}}})";
    auto reading = reading_of(told);
    REQUIRE(reading.ok());
    REQUIRE(reading->placement);
    const TopPlacement& placement = *reading->placement;
    CHECK(placement.fullest == 5);
    CHECK(placement.guests == 4);
    CHECK(placement.load.waited == 0.9);
    REQUIRE(placement.last);
    CHECK(placement.last->before.run == 0.5);
    CHECK_FALSE(placement.last->after);
    for (const char* const nonsense :
         {"7", R"({"cpus": 7, "last": 7})", R"({"cpus": [7], "last": {"after": {}}})"}) {
        told["/host"] = R"({"placement": )" + std::string(nonsense) + "}";
        CHECK(reading_of(told).ok());
    }
    CHECK_FALSE(reading_of(answers())->placement);
}
