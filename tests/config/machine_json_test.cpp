// One machine as JSON and back, and what is refused with which words.
#include "vmm/config/machine_json.h"

#include "tests/catch.h"
#include "tests/config/random_config.h"
#include "vmm/config/machine_keys.h"

using namespace carrel;
using config::machine_from_json;
using config::to_json;

namespace {

MachineConfig read(const std::string& text) {
    const auto config = machine_from_json(text, "");
    INFO(text);
    if (!config.ok()) FAIL(config.error().sentence());
    return config.value();
}

std::string refusal(const std::string& text) {
    const auto config = machine_from_json(text, "g.json");
    INFO(text);
    REQUIRE_FALSE(config.ok());
    CHECK(config.error().fault == Fault::kUsage);
    return config.error().sentence();
}

}  // namespace

TEST_CASE("JSON: any machine that may be described is read back as it was written") {
    for (uint32_t seed = 0; seed < 500; ++seed) {
        const MachineConfig config = test::RandomConfig(seed).machine();
        INFO("seed " << seed);
        if (const auto legal = check(config); !legal.ok()) FAIL(legal.error().sentence());
        const auto text = to_json(config);
        REQUIRE(text.ok());
        INFO(*text);
        CHECK(read(*text) == config);
        CHECK(to_json(read(*text)).value() == *text);
    }
}

TEST_CASE("JSON: only what differs from the defaults is written, and the name") {
    MachineConfig config;
    CHECK(to_json(config).value() == "{\n  \"name\": \"guest\"\n}\n");
    CHECK(read("{}") == config);
    config.memory = 256 * kMiB;
    config.entropy = true;
    config.cpus = 2;
    config.balloon.emplace();
    config.cpu_quota.cap = kWholeCpu / 4;
    config.disks = {parse_disk("a,,b.img,ro,queues=2,bps=1M").value()};
    CHECK(to_json(config).value() == R"({
  "name": "guest",
  "memory": "256M",
  "balloon": {
    "size": "0"
  },
  "cpus": 2,
  "cpu-cap": "25%",
  "disk": [
    {
      "file": "a,b.img",
      "ro": true,
      "queues": 2,
      "bps": "1M"
    }
  ],
  "rng": true
}
)");
}

TEST_CASE("JSON: each value may be written in the forms that its option has") {
    CHECK(read(R"({"memory": 268435456})") == read(R"({"memory": "256M"})"));
    CHECK(read(R"({"cpus": "2"})") == read(R"({"cpus": 2})"));
    CHECK(read(R"({"timeout": 60})") == read(R"({"timeout": "1m"})"));
    CHECK(read(R"({"rng": false, "hugepages": false})") == MachineConfig{});
    CHECK(read(R"({"balloon": true})") == read(R"({"balloon": {"size": 0}})"));
    CHECK(read(R"({"disk": "a,ro"})") == read(R"({"disk": [{"file": "a", "ro": true, "overlay": false}]})"));
    CHECK(read(R"({"disk": ["a,ro", "b"]})") == read(R"({"disk": [{"ro": true, "file": "a"}, "b"]})"));
    CHECK(read(R"({"disk": {"file": "a", "overlay": true}})") == read(R"({"disk": ["a,overlay"]})"));
    CHECK(read(R"({"disk": {"file": "a", "overlay": "b,c"}})") == read(R"({"disk": ["a,overlay=b,,c"]})"));
    CHECK(read(R"({"net": {"tcp": ["80", "81:82"], "user": true}})") ==
          read(R"({"net": ["user,tcp=80,tcp=81:82"]})"));
    CHECK(read(R"({"net": {"switch": "lan", "user": false, "mtu": 1500}})") ==
          read(R"({"net": ["switch=lan,mtu=1500"]})"));
    CHECK(read(R"({"memory-quota": "32M", "swap": {"file": "s", "size": "64M"}})") ==
          read(R"({"swap": "s,size=64M", "memory-quota": 33554432})"));
    CHECK(read(R"({"vsock": {"path": "v", "cid": 7}, "append": ""})") == read(R"({"vsock": "v,cid=7"})"));
}

TEST_CASE("JSON: an unknown key is refused with the nearest known one") {
    CHECK(refusal(R"({"memroy": "1G"})") ==
          "g.json: unknown key 'memroy'; did you mean 'memory'?; carrel schema lists all keys");
    CHECK(refusal(R"({"Disk": []})").find("did you mean 'disk'?") != std::string::npos);
    CHECK(refusal(R"({"cpu_cap": "25%"})").find("did you mean 'cpu-cap'?") != std::string::npos);
    CHECK(refusal(R"({"flavour": 1})").find("did you mean") == std::string::npos);
    CHECK(refusal(R"({"disk": [{"file": "a"}, {"file": "b", "cach": "none"}]})") ==
          "g.json: disk[1]: unknown key 'cach'; did you mean 'cache'?");
}

TEST_CASE("JSON: what is wrong is told with where it stands, and with what to write") {
    CHECK(refusal(R"({"memory": "12Q"})") ==
          "g.json: memory: '12Q' is not a size; write a whole number with K, M or G, such as 512M");
    CHECK(refusal(R"({"memory": []})") ==
          "g.json: memory: an array stands there; write a size, such as \"512M\", or a number of bytes");
    CHECK(refusal(R"({"memory": -1})").find("a number below zero") != std::string::npos);
    CHECK(refusal(R"({"memory": 1.5})").find("with a fraction") != std::string::npos);
    CHECK(refusal(R"({"rng": "yes"})") == "g.json: rng: a string stands there; write true or false");
    CHECK(refusal(R"({"rng": null})") == "g.json: rng: null stands there; write true or false");
    CHECK(refusal(R"({"cpu": 1})") == "g.json: cpu: a number stands there; write one of host|baseline");
    CHECK(refusal(R"({"cpu-cap": 25})") ==
          "g.json: cpu-cap: a number stands there; write a share, such as \"25%\"");
    CHECK(refusal(R"({"kernel": ""})") == "g.json: kernel: it is empty; leave it out for the default");
    CHECK(refusal(R"({"disk": [3]})").starts_with("g.json: disk[0]: a number stands there"));
    CHECK(refusal(R"({"disk": ["a", "b,c"]})").starts_with("g.json: disk[1]: 'c' is none of ro, id="));
    CHECK(refusal(R"({"disk": [{"file": "a", "queues": "x"}]})").starts_with("g.json: disk[0]: queues=x"));
    CHECK(refusal(R"({"disk": [{"file": "a", "ro": 1}]})").starts_with("g.json: disk[0].ro: a number"));
    CHECK(refusal(R"({"disk": [{"ro": true}]})") ==
          "g.json: disk[0]: it doesn't say what it is; write one of the keys file");
    CHECK(refusal(R"({"net": [{"tap": "a", "user": true}]})") ==
          "g.json: net[0]: it says twice what it is; write one of the keys tap, tapfd, user, switch");
    CHECK(refusal(R"({"net": [{"user": true, "tcp": ["80", 81]}]})").starts_with("g.json: net[0].tcp[1]: "));
    CHECK(refusal("[]") == "g.json: an array stands there; write an object of keys: {…}");
}

TEST_CASE("JSON: what doesn't fit together is refused as on the command line") {
    CHECK(refusal(R"({"swap": "s"})") == "g.json: swap: there is no quota; write memory-quota, too");
    CHECK(refusal(R"({"cpu-burst": "5ms"})") ==
          "g.json: cpu-burst: it belongs to a cap, and there is none; write cpu-cap, too");
    CHECK(refusal(R"({"memory": "1M"})").starts_with("g.json: memory: 1048576 bytes are too little"));
    CHECK(refusal(R"({"name": "a/b"})").starts_with("g.json: name: 'a/b' is not a name"));
}

TEST_CASE("JSON: what may be meant in two ways is refused, and so is what goes too deep") {
    CHECK(refusal(R"({"cpus": 1, "memory": "1G", "cpus": 2})") == "g.json: key 'cpus' stands there twice");
    CHECK(refusal(R"({"disk": [{"file": "a", "file": "b"}]})") ==
          "g.json: disk[0]: key 'file' stands there twice");
    CHECK(refusal(std::string(100'000, '[')).find("more than 8 levels") != std::string::npos);
    CHECK(refusal(R"({"kernel": "a\u0000b"})") == "g.json: kernel: a text has a NUL in it");
    std::string many = "{";
    for (int i = 0; i < 100; ++i) many += "\"k" + std::to_string(i) + "\": 1,";
    CHECK(refusal(many).find("more than 64 keys") != std::string::npos);
    CHECK(refusal(R"({"disk": [)" + std::string(1 << 19, ' ') + std::string(1 << 20, ' ')).find("1 MiB") !=
          std::string::npos);
    std::string items = "[0";
    for (int i = 0; i < 5000; ++i) items += ",0";
    CHECK(refusal(items).find("more than 4096 values") != std::string::npos);
}

TEST_CASE("JSON: text that is none is refused with line and column") {
    CHECK(refusal("{\"cpus\": 1,\n  \"memory\" \"1G\"}")
              .starts_with("g.json: it is no JSON from line 2, column"));
    CHECK(refusal("") == "g.json: it is empty; write at least {}");
    CHECK(refusal("{} {}").find("line 1") != std::string::npos);
    CHECK(refusal("{\"kernel\": \"\xff\"}").find("it is no JSON") != std::string::npos);
    CHECK(refusal(R"({"memory": 1e999})").find("it is no JSON") != std::string::npos);
    CHECK(refusal("// a\n{}").find("it is no JSON") != std::string::npos);
}

TEST_CASE("JSON: a name that is no UTF-8 can't be written, and that is said") {
    MachineConfig config;
    config.boot.kernel = "\xff";
    REQUIRE_FALSE(to_json(config).ok());
    CHECK(to_json(config).error().fault == Fault::kUsage);
}

TEST_CASE("keys: each is spelled once, has words for people, and is as unsaid as its default") {
    std::vector<std::string> names;
    for (const auto& key : config::machine_keys()) {
        INFO(key.name);
        CHECK(std::ranges::find(names, key.name) == names.end());
        names.emplace_back(key.name);
        CHECK(std::string(key.help).size() > 2);
        CHECK(std::string(key.preset).size() > 0);
        CHECK((key.type == config::KeyType::kWords) == !key.words.empty());
        CHECK((key.type == config::KeyType::kFlag) == (std::string(key.form).empty()));
        MachineConfig config;
        for (const std::string& text : key.get(MachineConfig{})) CHECK(key.set(config, text).ok());
        CHECK(config == MachineConfig{});
    }
}
