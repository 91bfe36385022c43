// Message: what a host and a guest's process say to each other. One datagram each (message_socket.h), typed
// fields in the order of codec.h. Both ends are the same binary, so there is no version; JSON is made of the
// same types where people see them (vmm/control), and here only for the configuration, which has it.
//
//        host  ── Order {id, verb} ──►  guest's process
//              ◄── Answer {id} ──────   to each order, once
//              ◄── News ─────────────   of each change, before the answer to the order that made it
//              ◄── Seated ───────────   of each vCPU's thread, with a descriptor
#pragma once

#include <optional>
#include <span>
#include <string>
#include <variant>
#include <vector>

#include "vmm/host/guest_event.h"
#include "vmm/host/guest_stats.h"

namespace carrel::isolate {

struct Order {
    enum class What : uint8_t {
        kCreate,  // text: the configuration, in JSON
        kStart,
        kPause,
        kResume,
        kResumeRealtime,
        kStop,   // patience
        kEnd,    // text: why
        kSet,    // text: the configuration
        kStats,  // answered with them
    };
    uint32_t id = 0;
    What what = What::kCreate;
    Nanoseconds patience = 0;
    std::string text;
};

struct Answer {
    uint32_t order = 0;
    std::optional<Error> refused;
    std::optional<GuestStats> stats;
};

struct News {
    GuestEvent::Kind kind = GuestEvent::Kind::kLoading;
    GuestState state = GuestState::kLoading;
    std::string detail;
    std::string why;                  // as GuestInfo's
    std::optional<MachineEnd> end;    // and the process ends next
    std::optional<GuestStats> stats;  // with an end: its last figures
};

// A vCPU's thread is about to sit at that place of the board. With it come KVM's statistics of the vCPU.
struct Seated {
    uint32_t place = 0;
};

using Word = std::variant<Answer, News, Seated>;

std::vector<std::byte> to_bytes(Order order);
std::vector<std::byte> to_bytes(Word word);
// Nothing: it makes no sense.
std::optional<Order> order_of(std::span<const std::byte> bytes);
std::optional<Word> word_of(std::span<const std::byte> bytes);

}  // namespace carrel::isolate
