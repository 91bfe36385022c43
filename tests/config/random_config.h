// Machines as a person might describe them, by the seed: legal ones, with odd names.
#pragma once

#include <array>
#include <random>
#include <string>

#include "vmm/model/machine_config.h"

namespace carrel::test {

class RandomConfig {
  public:
    explicit RandomConfig(uint32_t seed) : random_(seed) {}
    MachineConfig machine();

  private:
    uint64_t below(uint64_t limit) { return std::uniform_int_distribution<uint64_t>(0, limit - 1)(random_); }
    bool often() { return below(2) == 0; }
    Nanoseconds time(Nanoseconds most);
    std::string text();
    RateConfig rate();
    DiskConfig disk();
    NetConfig net();
    void add_forwards(NetConfig& net);
    CpuQuota cpu_quota();
    void add_memory(MachineConfig& config);

    std::mt19937 random_;
};

}  // namespace carrel::test
