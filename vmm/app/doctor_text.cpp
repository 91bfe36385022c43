#include "vmm/app/doctor_text.h"

#include <fmt/core.h>

#include <algorithm>

namespace carrel::app {
namespace {

constexpr size_t kIndent = 8;  // "  warn  "

struct Style {
    const char* word;
    const char* colour;
};

Style style(FindingState state) {
    switch (state) {
        case FindingState::kOk: return {"ok", "\033[32m"};
        case FindingState::kInfo: return {"info", "\033[36m"};
        case FindingState::kWarn: return {"warn", "\033[33m"};
        case FindingState::kFail: return {"FAIL", "\033[31m"};
    }
    return {"", ""};
}

Style style(Ability ability) {
    switch (ability) {
        case Ability::kLinux: return {"", "\033[1;32m"};
        case Ability::kSmallGuests: return {"", "\033[1;33m"};
        case Ability::kNone: return {"", "\033[1;31m"};
    }
    return {"", ""};
}

std::string coloured(const std::string& text, const char* colour, bool colours) {
    return colours ? colour + text + "\033[0m" : text;
}

// Folds at blanks; lines after the first begin with `indent` blanks. A word longer than a line stays whole:
// lines to type must be copied in one piece.
std::string folded(const std::string& text, size_t indent, size_t columns) {
    const size_t width = std::max<size_t>(20, columns - std::min(columns, indent));
    std::string result;
    std::string rest = text;
    while (rest.size() > width) {
        size_t cut = rest.rfind(' ', width);
        if (cut == std::string::npos || cut == 0) cut = rest.find(' ');
        if (cut == std::string::npos) break;
        result += rest.substr(0, cut) + "\n" + std::string(indent, ' ');
        rest = rest.substr(cut + 1);
    }
    return result + rest;
}

std::string paragraph(const Finding& finding, bool colours, size_t columns) {
    const Style s = style(finding.state);
    std::string text = "  " + coloured(fmt::format("{:<4}", s.word), s.colour, colours) + "  " +
                       folded(finding.sentence, kIndent, columns) + "\n";
    // Advice isn't folded: much of it is there to be copied.
    for (const std::string& advice : finding.advice)
        text += std::string(kIndent, ' ') + "-> " + advice + "\n";
    return text;
}

}  // namespace

std::string to_text(const DoctorReport& report, bool colours, size_t columns) {
    std::string text = "carrel doctor: what this host can do\n\n";
    for (const Finding& finding : report.findings) text += paragraph(finding, colours, columns);
    const std::string verdict = "Verdict: " + report.verdict.sentence + ".";
    return text + "\n" +
           coloured(folded(verdict, 0, columns), style(report.verdict.ability).colour, colours) + "\n";
}

}  // namespace carrel::app
