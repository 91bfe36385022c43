// kernel_line: telling a line that Linux printed from one that a program printed, on the same console.
#pragma once

#include <optional>
#include <string_view>

namespace carrel::observe {

// What stands behind the kernel's prefix. Linux (kernel/printk/printk.c, print_prefix()) writes
//
//   [    1.234567] text          the time, unless printk.time=0
//   [    1.234567][    T1] text  and who printed, with CONFIG_PRINTK_CALLER
//   text                         with printk.time=0, and then a program's line looks the same
struct KernelText {
    std::string_view text;
    bool timestamped = false;
};

// `line` from its first character, without its end. Colours (ESC [ … m) and a log level (<0>) before the
// prefix are skipped. Without a time stamp the text is the whole line: the caller decides whether that is
// enough.
KernelText parse_kernel_line(std::string_view line);

// The first kernel text with a time stamp anywhere in `line` that begins with `text`: a program may have
// written half a line, a prompt for one, before the kernel went on behind it. Nothing when there is none.
std::optional<std::string_view> find_stamped_text(std::string_view line, std::string_view text);

}  // namespace carrel::observe
