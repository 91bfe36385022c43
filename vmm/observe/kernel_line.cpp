#include "vmm/observe/kernel_line.h"

#include <cstddef>

namespace carrel::observe {
namespace {

bool is_digit(char c) {
    return c >= '0' && c <= '9';
}

// Each of these takes what it knows from the front of `rest` and says whether it was there.
bool take(std::string_view& rest, char c) {
    if (rest.empty() || rest.front() != c) return false;
    rest.remove_prefix(1);
    return true;
}

size_t take_digits(std::string_view& rest) {
    size_t count = 0;
    while (count < rest.size() && is_digit(rest[count])) ++count;
    rest.remove_prefix(count);
    return count;
}

// "\033[1;31m": parameters are 0x20 to 0x3f, the final byte 0x40 to 0x7e (ECMA-48, 5.4).
bool take_escape_sequence(std::string_view& rest) {
    std::string_view in = rest;
    if (!take(in, '\033') || !take(in, '[')) return false;
    while (!in.empty() && in.front() >= 0x20 && in.front() <= 0x3f) in.remove_prefix(1);
    if (in.empty() || in.front() < 0x40) return false;
    in.remove_prefix(1);
    rest = in;
    return true;
}

bool take_level(std::string_view& rest) {
    std::string_view in = rest;
    if (!take(in, '<') || take_digits(in) == 0 || !take(in, '>')) return false;
    rest = in;
    return true;
}

// "[%5lu.%06lu]": seconds since boot.
bool take_time(std::string_view& rest) {
    constexpr size_t kFractionDigits = 6;
    std::string_view in = rest;
    if (!take(in, '[')) return false;
    while (take(in, ' ')) {
    }
    if (take_digits(in) == 0 || !take(in, '.')) return false;
    if (take_digits(in) != kFractionDigits || !take(in, ']')) return false;
    rest = in;
    return true;
}

// "[%6s]": a thread or a CPU, "T1" or "C0"; newer kernels may say more.
bool take_caller(std::string_view& rest) {
    constexpr size_t kLongest = 40;
    if (rest.empty() || rest.front() != '[') return false;
    const size_t end = rest.substr(0, kLongest).find(']');
    if (end == std::string_view::npos) return false;
    rest.remove_prefix(end + 1);
    return true;
}

bool take_stamp(std::string_view& rest) {
    std::string_view in = rest;
    if (!take_time(in)) return false;
    take_caller(in);
    if (!take(in, ' ')) return false;
    rest = in;
    return true;
}

}  // namespace

KernelText parse_kernel_line(std::string_view line) {
    while (take_escape_sequence(line)) {
    }
    take_level(line);
    const bool timestamped = take_stamp(line);
    return {line, timestamped};
}

std::optional<std::string_view> find_stamped_text(std::string_view line, std::string_view text) {
    for (size_t at = line.find('['); at != std::string_view::npos; at = line.find('[', at + 1)) {
        std::string_view rest = line.substr(at);
        if (take_stamp(rest) && rest.starts_with(text)) return rest;
    }
    return std::nullopt;
}

}  // namespace carrel::observe
