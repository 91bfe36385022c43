// Line editor over the serial line. See line_editor.h.
#include "default/line_editor.h"

#include "lib/acpi.h"
#include "lib/cpu_x86.h"
#include "lib/power_x86.h"
#include "lib/print.h"
#include "lib/serial.h"

namespace guest {
namespace {

constexpr unsigned kLineSize = 256;
constexpr char kBell = 0x07;
constexpr char kBackspace = 0x08;
constexpr char kCtrlU = 0x15;
constexpr char kEscape = 0x1b;
constexpr char kDelete = 0x7f;

struct Line {
    char bytes[kLineSize];
    unsigned length;
    bool after_cr;   // the LF of a CR LF pair is no line of its own
    bool in_escape;  // an arrow key sends ESC [ A: dropped up to its last letter
};
constinit Line line = {};
constinit volatile bool button = false;

char wait_for_key() {
    interrupts_off();
    for (;;) {
        obey_power_button();
        if (const int key = serial_input_take(); key >= 0) return static_cast<char>(key);
        sleep_until_interrupt();
    }
}

void erase(unsigned count) {
    for (; count != 0 && line.length != 0; --count, --line.length) print("\b \b");
}

void insert(char key) {
    if (key < ' ') return;
    if (line.length == kLineSize) return put(Text(&kBell, 1));
    line.bytes[line.length++] = key;
    put(Text(&key, 1));
}

// True for the bytes of an escape sequence (ECMA-48, 5.4: it ends with 0x40-0x7e, after the `[` or `O` that
// introduces it).
bool belongs_to_escape(char key) {
    const bool started = line.in_escape;
    const bool last = key >= '@' && key != '[' && key != 'O';
    line.in_escape = key == kEscape || (started && key >= ' ' && !last);
    return started || line.in_escape;
}

// True when the key ends the line.
bool edit(char key) {
    if (belongs_to_escape(key) && key >= ' ') return false;
    const bool second_half = key == '\n' && line.after_cr;
    line.after_cr = key == '\r';
    if (second_half) return false;
    switch (key) {
        case '\r':
        case '\n': print("\n"); return true;
        case kBackspace:
        case kDelete: erase(1); return false;
        case kCtrlU: erase(kLineSize); return false;
        case kCtrlC:
            print("^C\n");
            line.length = 0;
            return true;
        default: insert(key); return false;
    }
}

}  // namespace

Text read_line(Text prompt) {
    print(prompt);
    line.length = 0;
    while (!edit(wait_for_key())) {
    }
    interrupts_on();
    return Text(line.bytes, line.length);
}

void power_button_init() {
    power_button_enable([] { button = true; });
}

void obey_power_button() {
    if (!button) return;
    print("\npower button: powering off\n");
    power_off();
}

bool key_pressed() {
    interrupts_off();
    const bool pressed = serial_input_take() >= 0;
    interrupts_on();
    return pressed;
}

}  // namespace guest
