#include "hostile/attack.h"

#include "lib/boot_info.h"
#include "lib/clock_x86.h"
#include "lib/cpu_x86.h"

namespace guest {
namespace {

struct alignas(4096) Buffers {
    alignas(4096) BlockHeader header;
    alignas(4096) unsigned char data[kAttackData];
    alignas(4096) unsigned char status[16];
    alignas(4096) std::uint64_t canary[512];
};
constinit Buffers buffers = {};
constinit bool canary_set = false;
constexpr std::uint64_t kCanary = 0x5ca1ab1e0ddba11ull;
constexpr unsigned kCanaryStep = 16;

// For devices that may well keep a chain.
constexpr std::uint64_t kShortPatience = 3000;
constexpr unsigned kLooksPerStatus = 64;  // each look at the status is an exit

// Waits until the chain is back or the device broken; what it was.
bool settle(const Attack& attack, Used& used, bool& broken) {
    const std::uint64_t patience = attack.driver.can_ask() ? kPatience : kShortPatience;
    const std::uint64_t start = rdtsc();
    for (unsigned looks = 0;; ++looks) {
        if (attack.ring().collect(used)) return true;
        if (looks % kLooksPerStatus == 0 && (broken = attack.device().needs_reset())) return true;
        if (tsc_to_us(rdtsc() - start) > patience) return false;
        pause();
    }
}

}  // namespace

std::uint64_t attack_header() {
    buffers.header = {kBlockRead, 0, 0};
    return reinterpret_cast<std::uint64_t>(&buffers.header);
}
std::uint64_t attack_data() {
    return reinterpret_cast<std::uint64_t>(buffers.data);
}
std::uint64_t attack_status() {
    return reinterpret_cast<std::uint64_t>(buffers.status);
}

bool canary_lives() {
    bool lives = true;
    for (unsigned i = 0; i < 512; i += kCanaryStep) {
        lives = lives && (!canary_set || buffers.canary[i] == kCanary);
        buffers.canary[i] = kCanary;
    }
    canary_set = true;
    return lives;
}

std::uint64_t end_of_ram() {
    std::uint64_t end = 0;
    for (unsigned i = 0; i < boot_info().range_count; ++i)
        if (boot_info().ranges[i].end() > end) end = boot_info().ranges[i].end();
    return end;
}

std::uint64_t end_of_low_ram() {
    std::uint64_t end = 0;
    for (unsigned i = 0; i < boot_info().range_count; ++i) {
        const std::uint64_t here = boot_info().ranges[i].end();
        if (here > end && here < 1ull << 32) end = here;
    }
    return end;
}

void Attack::offer(const Buffer& piece) const {
    const Buffer chain[] = {{attack_header(), 16}, piece, {attack_status(), 1, kDescWrite}};
    ring().offer(chain, 3);
}

const char* Attack::expect(Outcome outcome) const {
    Used used{};
    bool broken = false;
    kick();
    const bool settled = settle(*this, used, broken);
    if (!driver.can_ask() || outcome == Outcome::kAny) return nullptr;
    if (!settled) return "the chain never came back, and the device doesn't say NEEDS_RESET";
    if (broken) return outcome == Outcome::kBroken ? nullptr : "the device says NEEDS_RESET";
    switch (outcome) {
        case Outcome::kServed: return used.length != 0 ? nullptr : "the chain was refused";
        case Outcome::kRefused: return used.length == 0 ? nullptr : "the chain was served";
        case Outcome::kBroken: return "the chain came back where the device must say NEEDS_RESET";
        default: return nullptr;
    }
}

const char* Attack::piece(const Buffer& piece, Outcome outcome) const {
    offer(piece);
    return expect(outcome);
}

}  // namespace guest
