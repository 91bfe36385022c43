// EscapeKeys: what a person at the terminal says to carrel and not to the guest.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace carrel {

// A state machine over the bytes typed:
//
//   Ctrl-A x       ends the guest
//   Ctrl-A c       shows the help
//   Ctrl-A Ctrl-A  sends one Ctrl-A
//   Ctrl-A other   sends both, so that nothing is lost by a slip
//
// For terminals only: a file or a pipe is passed on as it is.
class EscapeKeys {
  public:
    static constexpr std::byte kEscape{0x01};  // Ctrl-A
    static constexpr size_t kMostPerByte = 2;
    static constexpr std::string_view kHelp =
        "\r\n[carrel: Ctrl-A x ends the guest; Ctrl-A Ctrl-A sends one Ctrl-A; Ctrl-A c shows this]\r\n";

    enum class Action : uint8_t { kNone, kEnd, kHelp };
    struct Step {
        std::array<std::byte, kMostPerByte> send{};
        size_t count = 0;  // of `send`, for the guest
        Action action = Action::kNone;
    };

    Step take(std::byte typed);

  private:
    bool escaped_ = false;
};

}  // namespace carrel
