// An attack: one thing that a driver must not do, done to one queue of one device that was started by the
// rules.
#pragma once
#include <cstdint>

#include "hostile/driver.h"

namespace guest {

// How the device takes it. What it doesn't say must come back doesn't: a network card keeps a bad receive
// buffer until a packet comes, so for devices whose requests we don't know every outcome but a dead device is
// right.
enum class Outcome {
    kServed,   // the chain came back, something was written
    kBack,     // it came back
    kRefused,  // it came back with length 0
    kBroken,   // the device says NEEDS_RESET
    kAny,      // either of these, or nothing at all
};

struct Attack {
    Driver& driver;
    unsigned queue;
    bool packed;

    VirtioPci& device() const { return driver.device; }
    VirtioQueue& ring() const { return driver.queues[queue]; }
    void kick() const { driver.device.notify(queue); }
    // A chain of header, `piece` and status: a read of one sector, if the piece is one.
    void offer(const Buffer& piece) const;
    // Kicks and waits for the outcome. nullptr, or what came instead.
    const char* expect(Outcome outcome) const;
    // offer() and expect().
    const char* piece(const Buffer& piece, Outcome outcome) const;
};

// Buffers that belong to attacks. Each is alone on its page; the header says "read sector 0".
std::uint64_t attack_header();
std::uint64_t attack_data();  // 16 KiB
constexpr unsigned kAttackData = 0x4000;
std::uint64_t attack_status();
// A page that no descriptor ever names: whether it still is as it was.
bool canary_lives();

// The end of the highest RAM below 4 GiB, and of all RAM.
std::uint64_t end_of_low_ram();
std::uint64_t end_of_ram();

enum class Rings : std::uint8_t { kBoth, kSplit, kPacked };
struct Case {
    const char* name;
    const char* (*run)(Attack& attack);  // nullptr: as it should be; else what went wrong
    Rings rings = Rings::kBoth;
    bool goes_on = true;  // afterwards the queue can be used as it is, unless the device says NEEDS_RESET
};

// Some cases that somebody else owns. (Clang can't compile the standard library's <span> without
// floating-point registers.)
class Cases {
  public:
    constexpr Cases() = default;
    template <unsigned kCount>
    constexpr Cases(const Case (&cases)[kCount]) : first_(cases), count_(kCount) {}
    constexpr const Case* begin() const { return first_; }
    constexpr const Case* end() const { return first_ + count_; }

  private:
    const Case* first_ = nullptr;
    unsigned count_ = 0;
};

// The families; each in its own file. The last are for a device as a whole and run on its first queue.
Cases chain_cases();
Cases address_cases();
Cases ring_cases();
Cases register_cases();
Cases reset_cases();
Cases message_cases();
Cases config_cases();
Cases bar_cases();
Cases processor_cases();

// Where another device's registers are; 0: there is no other.
std::uint32_t other_bar(const Attack& attack);
// Another device answers a correct request, if there is one that we know any for.
const char* others_work(const Attack& attack);

}  // namespace guest
