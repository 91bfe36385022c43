// One line of typed input: echo, backspace, Ctrl-U, Ctrl-C, CR, LF and CR LF; sleeps in HLT between keys.
#pragma once
#include "lib/text.h"

namespace guest {

constexpr char kCtrlC = 0x03;

// Prints the prompt and reads a line. Valid until the next call. Bytes beyond the line's room are dropped
// with a bell.
Text read_line(Text prompt);

// The power button was pressed: prints a line and powers off. Called wherever the guest waits or works for
// long.
void obey_power_button();
void power_button_init();

// True when a key was pressed; takes it.
bool key_pressed();

}  // namespace guest
