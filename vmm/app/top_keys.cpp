#include "vmm/app/top_keys.h"

#include <algorithm>
#include <array>
#include <string_view>
#include <utility>

namespace carrel::app {
namespace {

using namespace std::string_view_literals;

// As xterm and all that are like it send them; \x03 and \x1a are Ctrl-C and Ctrl-Z on a raw terminal.
constexpr std::array<std::pair<std::string_view, TopKey>, 13> kKeys = {{{"q"sv, TopKey::kQuit},
                                                                        {"Q"sv, TopKey::kQuit},
                                                                        {"\x03"sv, TopKey::kQuit},
                                                                        {"\x1a"sv, TopKey::kSuspend},
                                                                        {"k"sv, TopKey::kUp},
                                                                        {"j"sv, TopKey::kDown},
                                                                        {"\x1b[A"sv, TopKey::kUp},
                                                                        {"\x1bOA"sv, TopKey::kUp},
                                                                        {"\x1b[B"sv, TopKey::kDown},
                                                                        {"\x1bOB"sv, TopKey::kDown},
                                                                        {"\x1b[5~"sv, TopKey::kPageUp},
                                                                        {"\x1b[6~"sv, TopKey::kPageDown},
                                                                        {" "sv, TopKey::kPageDown}}};

}  // namespace

std::vector<TopKey> take_keys(std::string& typed) {
    std::vector<TopKey> keys;
    std::string_view rest = typed;
    while (!rest.empty()) {
        const auto whole =
            std::ranges::find_if(kKeys, [rest](const auto& key) { return rest.starts_with(key.first); });
        const bool begun =
            std::ranges::any_of(kKeys, [rest](const auto& key) { return key.first.starts_with(rest); });
        if (whole != kKeys.end())
            keys.push_back(whole->second);
        else if (begun)
            break;
        rest.remove_prefix(whole != kKeys.end() ? whole->first.size() : 1);
    }
    typed.erase(0, typed.size() - rest.size());
    return keys;
}

}  // namespace carrel::app
