#include "vmm/sim/chart_svg.h"

#include <fmt/core.h>

#include <algorithm>
#include <array>

#include "vmm/model/policy.h"

namespace carrel::sim {
namespace {

constexpr int kWidth = 1200, kLeft = 150, kRight = 30, kTop = 60;
constexpr int kRowHeight = 30, kBarHeight = 20, kLegendHeight = 26;
constexpr int kLegendColumns = 6;
constexpr uint32_t kMostLegends = 12;

// Okabe and Ito's colours, which colour-blind people can tell apart.
constexpr std::array kColours = {"#0072B2", "#E69F00", "#009E73", "#CC79A7",
                                 "#56B4E9", "#D55E00", "#F0E442", "#000000"};

const char* colour_of(uint32_t guest) {
    return kColours[guest % kColours.size()];
}

std::string escaped(const std::string& text) {
    constexpr size_t kMostLetters = 18;
    std::string safe;
    for (const char c : text.substr(0, kMostLetters)) {
        if (c == '<')
            safe += "&lt;";
        else if (c == '>')
            safe += "&gt;";
        else if (c == '&')
            safe += "&amp;";
        else
            safe += static_cast<unsigned char>(c) < ' ' ? '?' : c;
    }
    return text.size() > kMostLetters ? safe + "…" : safe;
}

// 1, 2 or 5 of some unit, so that there are about ten on the axis.
Nanoseconds tick(Nanoseconds range) {
    Nanoseconds step = 1;
    while (step * 10 * 10 < range) step *= 10;
    for (const Nanoseconds factor : {1, 2, 5})
        if (range / (step * factor) <= 12) return step * factor;
    return step * 10;
}

class Drawing {
  public:
    explicit Drawing(const Outcome& outcome) : outcome_(outcome), chart_(outcome.chart) {}

    std::string draw() {
        begin();
        axis();
        for (size_t i = 0; i < chart_.rows.size(); ++i) row(i);
        legend();
        return svg_ + "</svg>\n";
    }

  private:
    template <class... Args>
    void add(fmt::format_string<Args...> format, Args&&... args) {
        svg_ += fmt::format(format, std::forward<Args>(args)...);
    }
    double x(Nanoseconds time) const {
        const double range = static_cast<double>(std::max<Nanoseconds>(chart_.to - chart_.from, 1));
        return kLeft + static_cast<double>(time - chart_.from) / range * (kWidth - kLeft - kRight);
    }
    int bottom() const { return kTop + static_cast<int>(chart_.rows.size()) * kRowHeight; }

    void begin() {
        const int height = bottom() + 40 + kLegendHeight * 4;
        add("<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {} {}\" "
            "font-family=\"sans-serif\" font-size=\"14\">\n",
            kWidth, height);
        add("<rect width=\"{}\" height=\"{}\" fill=\"#fff\"/>\n", kWidth, height);
        add("<text x=\"{}\" y=\"32\" font-size=\"20\">{} on {} CPU{}</text>\n", kLeft,
            policy_name(outcome_.policy), outcome_.cpus, outcome_.cpus == 1 ? "" : "s");
    }

    void axis() {
        const Nanoseconds step = tick(chart_.to - chart_.from);
        for (Nanoseconds time = (chart_.from + step - 1) / step * step; time <= chart_.to; time += step) {
            add("<path d=\"M{0:.1f} {1}V{2}\" stroke=\"#ccc\"/>"
                "<text x=\"{0:.1f}\" y=\"{3}\" text-anchor=\"middle\">{4:g}</text>\n",
                x(time), kTop - 6, bottom() + 4, bottom() + 20, static_cast<double>(time) / kMillisecond);
        }
        add("<text x=\"{}\" y=\"{}\" text-anchor=\"end\">ms</text>\n", kLeft - 12, bottom() + 20);
    }

    void row(size_t index) {
        const Chart::Row& row = chart_.rows[index];
        const int y = kTop + static_cast<int>(index) * kRowHeight;
        add("<text x=\"{}\" y=\"{}\" text-anchor=\"end\">{}</text>\n", kLeft - 10, y + 19, escaped(row.name));
        spans(row.waits, y + kRowHeight / 2 - 1, 2, "#999");
        spans(row.runs, y + (kRowHeight - kBarHeight) / 2, kBarHeight, colour_of(row.guest));
    }

    void spans(const std::vector<Chart::Span>& spans, int y, int height, const char* colour) {
        if (spans.empty()) return;
        add("<path fill=\"{}\" d=\"", colour);
        for (const Chart::Span& span : spans) {
            const double width = std::max(x(span.to) - x(span.from), 0.3);
            add("M{:.1f} {}h{:.1f}v{}h-{:.1f}z", x(span.from), y, width, height, width);
        }
        svg_ += "\"/>\n";
    }

    void legend() {
        int place = 0;
        uint32_t last = UINT32_MAX;
        for (const Chart::Row& row : chart_.rows) {
            if (row.guest == last) continue;
            last = row.guest;
            if (last < kMostLegends)
                entry(place++, colour_of(last), 14, escaped(outcome_.guests[last].name) + " runs");
        }
        entry(place++, "#999", 2, "wants to, but waits");
        if (chart_.left_out > 0)
            add("<text x=\"{}\" y=\"{}\">{} more vCPUs are not shown</text>\n", kLeft,
                bottom() + 46 + (place + kLegendColumns - 1) / kLegendColumns * kLegendHeight + 10,
                chart_.left_out);
    }

    void entry(int place, const char* colour, int height, const std::string& text) {
        const int left = kLeft + place % kLegendColumns * (kWidth - kLeft) / kLegendColumns;
        const int y = bottom() + 46 + place / kLegendColumns * kLegendHeight;
        add("<rect x=\"{}\" y=\"{}\" width=\"14\" height=\"{}\" fill=\"{}\"/>"
            "<text x=\"{}\" y=\"{}\">{}</text>\n",
            left, y - height / 2, height, colour, left + 20, y + 5, text);
    }

    const Outcome& outcome_;
    const Chart& chart_;
    std::string svg_;
};

}  // namespace

std::string chart_svg(const Outcome& outcome) {
    return Drawing(outcome).draw();
}

}  // namespace carrel::sim
