// Several guests and their host, from a file or a folder.
#include "vmm/config/fleet_json.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <filesystem>
#include <fstream>

#include "tests/catch.h"
#include "tests/config/random_config.h"

using namespace carrel;
using namespace carrel::config;

namespace {

FleetConfig read(const std::string& text) {
    const auto fleet = fleet_from_json(text, "f.json");
    INFO(text);
    if (!fleet.ok()) FAIL(fleet.error().sentence());
    return fleet.value();
}

std::string refusal(const std::string& text) {
    const auto fleet = fleet_from_json(text, "f.json");
    INFO(text);
    REQUIRE_FALSE(fleet.ok());
    CHECK(fleet.error().fault == Fault::kUsage);
    return fleet.error().sentence();
}

// A folder that is gone afterwards.
class Folder {
  public:
    Folder() {
        std::string name = (std::filesystem::temp_directory_path() / "carrel-fleet-XXXXXX").string();
        REQUIRE(::mkdtemp(name.data()) != nullptr);
        path_ = name;
    }
    ~Folder() { std::filesystem::remove_all(path_); }
    Folder(const Folder&) = delete;
    Folder& operator=(const Folder&) = delete;
    const std::string& path() const { return path_; }
    std::string put(const std::string& name, const std::string& text) const {
        std::ofstream(path_ + "/" + name) << text;
        return path_ + "/" + name;
    }
    std::string refusal(const std::string& name = {}) const {
        DirectOpener opener;
        const auto fleet = load_fleet(opener, name.empty() ? path_ : path_ + "/" + name);
        REQUIRE_FALSE(fleet.ok());
        CHECK(fleet.error().fault == Fault::kUsage);
        return fleet.error().sentence();
    }

  private:
    std::string path_;
};

}  // namespace

TEST_CASE("fleet: a host and its guests are read back as they were written") {
    test::RandomConfig random(1);
    for (int round = 0; round < 20; ++round) {
        FleetConfig fleet;
        fleet.host = HostConfig{{0, 1, 2, 5},
                                kGiB,
                                3 * kWholeCpu / 2,
                                kWholeCpu,
                                RateConfig{100 * kMiB, 500, {}},
                                RateConfig{kMiB, 9, {}},
                                Policy::kSjf,
                                Placement::kPack};
        for (int i = 0; i < 5; ++i) {
            fleet.guests.push_back(random.machine());
            fleet.guests.back().name = "g" + std::to_string(i);
        }
        CHECK(read(to_json(fleet).value()) == fleet);
    }
    CHECK(to_json(HostConfig{}).value() == "{}\n");
    CHECK(to_json(FleetConfig{}).value() == "{\n  \"guests\": []\n}\n");
}

TEST_CASE("fleet: a file is one guest, or several") {
    CHECK(read(R"({"name": "a"})").guests.front().name == "a");
    CHECK(read(R"({"guests": [{"name": "a"}, {"name": "b", "cpus": 2}]})").guests.at(1).cpus == 2);
    CHECK(read(R"({"guests": []})") == FleetConfig{});
    const FleetConfig fleet =
        read(R"({"host": {"cpus": "0-1", "cpu-overcommit": "150%", "policy": "fcfs"}})");
    CHECK(fleet.host.cpus == std::vector<uint32_t>{0, 1});
    CHECK(fleet.host.cpu_overcommit == 3 * kWholeCpu / 2);
    CHECK(fleet.host.policy == Policy::kFcfs);
    CHECK(fleet.guests.empty());
}

TEST_CASE("fleet: what is wrong is told with the guest's number") {
    CHECK(refusal(R"({"guests": [{}, {"memroy": 1}]})") ==
          "f.json: guests[1]: unknown key 'memroy'; did you mean 'memory'?; carrel schema lists all keys");
    CHECK(refusal(R"({"guests": [{"name": "a"}, {"memory": []}]})")
              .starts_with("f.json: guests[1].memory: an array"));
    CHECK(refusal(R"({"guests": [{"swap": "s"}]})").starts_with("f.json: guests[0].swap: there is no quota"));
    CHECK(refusal(R"({"guests": {}})").starts_with("f.json: guests: an object stands there"));
    CHECK(refusal(R"({"guests": [3]})").starts_with("f.json: guests[0]: a number stands there"));
    CHECK(refusal(R"({"guest": [], "host": {}})").find("did you mean 'guests'?") != std::string::npos);
    CHECK(refusal(R"({"host": {"cpu-overcommit": "50%"}})")
              .starts_with("f.json: host.cpu-overcommit: 50% is not"));
    CHECK(refusal(R"({"host": {"disk-bps": "0"}})").starts_with("f.json: host.disk-bps: bps=0 is not"));
    CHECK(refusal(R"({"host": {"net-ops": "many"}})").starts_with("f.json: host.net-ops: ops=many is not"));
    CHECK(refusal(R"({"host": {"policy": "best"}})").starts_with("f.json: host.policy: 'best' is no policy"));
    CHECK(refusal(R"({"host": {"placement": "x"}})").starts_with("f.json: host.placement: 'x' is none of"));
    CHECK(refusal(R"({"host": {"cpus": "3-1"}})").starts_with("f.json: host.cpus: '3-1'"));
}

TEST_CASE("fleet: two guests of one name are refused with both places") {
    CHECK(refusal(R"({"guests": [{"name": "a"}, {}, {"name": "a"}]})") ==
          "f.json: guests[2]: a guest is called 'a' already, in f.json: guests[0]; give each a name of its "
          "own");
}

TEST_CASE("fleet: a folder's files are read in the order of their names") {
    const Folder folder;
    folder.put("b.json", R"({"name": "b"})");
    folder.put("a.json", R"({"guests": [{"name": "z"}, {"name": "y"}], "host": {"memory": "1G"}})");
    folder.put("c.txt", "none of ours");
    folder.put(".hidden.json", "nor this");
    DirectOpener opener;
    const auto fleet = load_fleet(opener, folder.path());
    REQUIRE(fleet.ok());
    REQUIRE(fleet->guests.size() == 3);
    CHECK(fleet->guests[0].name == "z");
    CHECK(fleet->guests[2].name == "b");
    CHECK(fleet->host.memory == kGiB);
    CHECK(load_fleet(opener, folder.path() + "/").value() == *fleet);
    CHECK(load_fleet(opener, folder.path() + "/b.json").value().guests.size() == 1);
}

TEST_CASE("fleet: what two files of a folder both say is refused with both places") {
    const Folder folder;
    const std::string a = folder.put("a.json", R"({"host": {}, "guests": [{"name": "x"}]})");
    const std::string b = folder.put("b.json", R"({"name": "x"})");
    CHECK(folder.refusal() ==
          b + ": a guest is called 'x' already, in " + a + ": guests[0]; give each a name of its own");
    folder.put("b.json", R"({"host": {}})");
    CHECK(folder.refusal() ==
          b + ": host: there is a host already, in " + a + ": host; write all in one place");
}

TEST_CASE("fleet: what can't be read is the fault of who named it, and nothing is waited for") {
    const Folder folder;
    CHECK(folder.refusal().find("has no file *.json") != std::string::npos);
    CHECK(folder.refusal("missing.json").find("No such file") != std::string::npos);
    REQUIRE(::mkfifo((folder.path() + "/fifo.json").c_str(), 0600) == 0);
    CHECK(folder.refusal("fifo.json").find("neither a file nor a folder") != std::string::npos);
    CHECK(folder.refusal().find("neither a file nor a folder") != std::string::npos);
    ::unlink((folder.path() + "/fifo.json").c_str());
    std::filesystem::create_directory(folder.path() + "/sub.json");
    CHECK(folder.refusal().find("is a folder") != std::string::npos);
    std::filesystem::remove(folder.path() + "/sub.json");
    folder.put("big.json", std::string((1 << 20) + 1, ' '));
    CHECK(folder.refusal("big.json").find("longer than 1 MiB") != std::string::npos);
}
