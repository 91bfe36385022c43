// The page of `carrel top`: it fits, whatever there is to show, and says what two readings say.
#include <algorithm>

#include "tests/catch.h"
#include "vmm/app/top_columns.h"
#include "vmm/app/top_json.h"
#include "vmm/app/top_keys.h"
#include "vmm/app/top_page.h"
#include "vmm/model/gpa.h"

using namespace carrel;
using namespace carrel::app;

namespace {

TopReading::Guest guest(std::string name, Nanoseconds run = 0, Nanoseconds time = 0) {
    TopReading::Guest guest;
    guest.what.name = std::move(name);
    guest.what.state = "running";
    guest.what.vcpus = 1;
    guest.counters.run = run;
    guest.time = time;
    return guest;
}

// A second, in which the guest `i` of `count` runs for i ms.
TopSnapshot crowd(size_t count) {
    TopReading before, after;
    after.time = kSecond;
    for (size_t i = 0; i < count; ++i) {
        before.guests.push_back(guest("g" + std::to_string(i)));
        after.guests.push_back(
            guest("g" + std::to_string(i), static_cast<Nanoseconds>(i) * kMillisecond, kSecond));
    }
    return between(before, after);
}

// The host of the README: two CPUs, two guests, one of them capped to 25%.
TopSnapshot two_guests() {
    TopReading before;
    before.policy = "weighted-fair";
    before.cpu = {2.0, 0.25, {}};
    before.memory = {8e9, 2e9, {}};
    before.guests = {guest("web", 0), guest("batch", 0)};
    TopGuest& web = before.guests[0].what;
    web.cap = 0.25;
    web.reserve = 0.1;
    web.weight = 100;
    web.resident = 300 * kMiB;
    web.quota = 512 * kMiB;
    before.guests[0].counters = {0, 0, 0, 0, 0, 0, 0};
    TopReading after = before;
    after.time = 2 * kSecond;
    after.guests[0].counters = {480 * kMillisecond, 20 * kMillisecond, 1500 * kMillisecond, 0, kSecond,
                                20 * kMiB,          3 * kKiB};
    after.guests[1].counters.run = 2 * kSecond;
    for (TopReading::Guest& one : after.guests) one.time = 2 * kSecond;
    return between(before, after);
}

void check_fits(const TopSnapshot& top, const TopView& view) {
    INFO(view.columns << " columns, " << view.rows << " rows, " << top.guests.size() << " guests");
    const auto page = top_page(top, view);
    CHECK(page.size() <= view.rows);
    for (const std::string& line : page) {
        CHECK(line.size() <= view.columns);
        CHECK(printable(line) == line);
    }
}

bool has(const std::vector<std::string>& page, const std::string& piece) {
    return std::ranges::any_of(page, [&](const std::string& line) { return line.find(piece) != line.npos; });
}

}  // namespace

TEST_CASE("top: two readings give shares and rates of the time between them") {
    const TopSnapshot top = two_guests();
    REQUIRE(top.guests.size() == 2);
    CHECK(top.guests[0].what.name == "batch");  // uses most
    CHECK(*top.guests[0].used == 1.0);
    const auto& web = top.guests[1];
    CHECK(*web.used == 0.25);  // its vCPUs and its I/O
    CHECK(*web.waiting_quota == 0.75);
    CHECK(*web.steal == 0.5);
    CHECK(*web.disk == 10 * kMiB);
    CHECK(*top.cpu.used == 1.25);
    CHECK(*top.cpu.free() == 1.75);
    CHECK_FALSE(top.guests[0].disk);
}

TEST_CASE("top: a guest that is new, or began anew, has no rates yet, and one that has gone isn't there") {
    TopReading before, after;
    after.time = kSecond;
    before.guests = {guest("gone", 5), guest("anew", kSecond)};
    after.guests = {guest("new", kSecond, kSecond), guest("anew", 5, kSecond)};
    const TopSnapshot top = between(before, after);
    REQUIRE(top.guests.size() == 2);
    CHECK_FALSE(top.guests[0].used);
    CHECK_FALSE(top.guests[1].used);
    CHECK_FALSE(between(after, after).guests[0].used);  // no time has passed
    CHECK_FALSE(top.cpu.used);
}

TEST_CASE("top: the page of a terminal of 80 x 24") {
    const auto page = top_page(two_guests(), {80, 24, 0});
    const std::vector<std::string> wanted = {
        "carrel top: 2 guests, weighted-fair, over 2.0 s   q: quit, up and down: scroll",
        "CPU  [#############........] used   125% of   200%, promised  25.0%, free   175%",
        "MEM  [#....................] used   300M of   7.5G, promised   1.9G, free   5.6G",
        "DISK [                     ] used    10M of      -, promised      -, free      -",
        "NET  [                     ] used   1.5K of      -, promised      -, free      -",
        "",
        "NAME      STATE CPU  CAP% WGHT RSV% USED%        QUO HST STL MEM/QUOTA DISK  NET",
        "batch     run     1     -    -    -   100 ######   -   -   -       -/-    -    -",
        "web       run     1  25.0  100   10  25.0 ######  75   0  50 300M/512M  10M 1.5K",
    };
    CHECK(page == wanted);
}

TEST_CASE("top: a narrow page drops columns, a wide one gives them room") {
    const auto narrow = top_page(two_guests(), {40, 10, 0});
    CHECK(has(narrow, "NAME        STATE  CAP% USED%        QUO"));
    CHECK(has(narrow, "web         run    25.0  25.0 ######  75"));
    const auto wide = top_page(two_guests(), {200, 60, 0});
    CHECK(has(wide, "MEM/QUOTA"));
    CHECK(has(wide, std::string(60, '#')));
    CHECK(wide[7].size() > 150);
}

TEST_CASE("top: any number of guests on any terminal") {
    for (const size_t guests : {0u, 1u, 2u, 17u, 18u, 300u})
        for (const TopView view :
             {TopView{80, 24, 0}, TopView{40, 10, 0}, TopView{200, 60, 0}, TopView{1, 1, 0}, TopView{0, 0, 0},
              TopView{5, 8, 0}, TopView{80, 24, 1000}, TopView{80, 7, 3}})
            check_fits(crowd(guests), view);
    CHECK(has(top_page(crowd(0), {80, 24, 0}), "no guests"));
    CHECK_FALSE(has(top_page(crowd(17), {80, 24, 0}), "more"));
    CHECK(top_page(crowd(17), {80, 24, 0}).size() == 24);
}

TEST_CASE("top: those that use most come first, and how many more there are is said") {
    const auto page = top_page(crowd(300), {80, 24, 0});
    CHECK(page[7].starts_with("g299 "));
    CHECK(page.back() == "... 284 more");
    CHECK(top_room(crowd(300), {80, 24, 0}) == 16);
    const auto scrolled = top_page(crowd(300), {80, 24, 100});
    CHECK(scrolled[7].starts_with("g199 "));
    CHECK(scrolled.back() == "... 284 more, 100 of them above");
    const auto end = top_page(crowd(300), {80, 24, 5000});
    CHECK(end[22].starts_with("g0 "));
}

TEST_CASE("top: placement has a line, and another one for the last move") {
    TopSnapshot top = crowd(300);
    top.placement = TopPlacement{"spread", 1, {}, 3, 2, {0.5, 0.25}};
    CHECK(has(top_page(top, {80, 24, 0}),
              "spread: CPU 3 is wanted most, by 2 guests: 50.0% used 25.0% waited for"));
    CHECK(top_room(top, {80, 24, 0}) == 15);
    top.placement->last = TopPlacement::Move{"g\x1b", "3", "4-5", {0.5, 0.5}, TopLoad{1, 0}};
    check_fits(top, {80, 24, 0});
    CHECK(has(top_page(top, {120, 24, 0}),
              "1 moves, last g? from 3 to 4-5: 50.0% used 50.0% waited for, then 100% used"));
    CHECK(top_room(top, {80, 24, 0}) == 14);
    CHECK(to_json(top).find("\"after\": {") != std::string::npos);
}

TEST_CASE("top: what guests are called reaches no terminal as it is") {
    TopReading reading;
    reading.policy = "\x1b[2J";
    reading.guests = {guest("\x1b]0;owned\x07\n\xff\x80" + std::string(500, 'x'))};
    reading.guests[0].what.state = "\r\x9b";
    const TopSnapshot top = between(reading, reading);
    check_fits(top, {80, 24, 0});
    check_fits(top, {200, 24, 0});
    CHECK(has(top_page(top, {200, 24, 0}), "?]0;owned???"));
    CHECK(to_json(top).find('\x1b') == std::string::npos);
}

TEST_CASE("top: absurd figures fit their cells") {
    TopReading before, after;
    after.time = 1;
    before.guests = {guest("a", 0)};
    after.guests = {guest("a", INT64_MAX, 1)};
    after.guests[0].what.vcpus = UINT32_MAX;
    after.guests[0].what.cap = 1e300;
    after.guests[0].what.weight = UINT64_MAX;
    after.guests[0].what.resident = UINT64_MAX;
    after.guests[0].what.quota = 0;
    after.cpu = {0.0, -1e300, {}};
    after.memory = {1e300, 1e301, {}};
    for (const size_t columns : {40u, 80u, 200u}) check_fits(between(before, after), {columns, 24, 0});
}

TEST_CASE("top: figures as people write them") {
    CHECK(percent_cell({}) == "-");
    CHECK(percent_cell(0.0) == "0.0");
    CHECK(percent_cell(0.125) == "12.5");
    CHECK(percent_cell(0.9999) == "100");
    CHECK(percent_cell(10.24) == "1024");
    CHECK(bytes_cell({}) == "-");
    CHECK(bytes_cell(0.0) == "0");
    CHECK(bytes_cell(999.0) == "999");
    CHECK(bytes_cell(1000.0) == "1.0K");
    CHECK(bytes_cell(512.0 * kMiB) == "512M");
    CHECK(bytes_cell(1023.0 * kMiB) == "1.0G");
    CHECK(bytes_cell(-2.0 * kGiB) == "-2.0G");
    CHECK(bar_of(0.5, 0.25, 0.125, 8) == "####==-.");
    CHECK(bar_of(2, 1, 1, 4) == "####");
    CHECK(bar_of(0, 0, 0, 4) == "....");
}

TEST_CASE("top: for programs, null stands for what isn't measured") {
    const std::string json = to_json(two_guests());
    CHECK(json.find("\"waiting_quota\": 0.75") != std::string::npos);
    CHECK(json.find("\"disk\": null") != std::string::npos);
    CHECK(json.find("\"policy\": \"weighted-fair\"") != std::string::npos);
}

TEST_CASE("top: keys come whole, in pieces, and among what is none") {
    std::string typed = "x\x1b[Aq\x1b[5";
    CHECK(take_keys(typed) == std::vector{TopKey::kUp, TopKey::kQuit});
    CHECK(typed == "\x1b[5");
    typed += "~";
    CHECK(take_keys(typed) == std::vector{TopKey::kPageUp});
    CHECK(typed.empty());
    typed = "\x1b[Zq";
    CHECK(take_keys(typed) == std::vector{TopKey::kQuit});
    typed = std::string("\0\x03\x1a", 3);
    CHECK(take_keys(typed) == std::vector{TopKey::kQuit, TopKey::kSuspend});
    typed = std::string(100'000, '\x1b');
    CHECK(take_keys(typed).empty());
    CHECK(typed == "\x1b");
}

TEST_CASE("top: what is swapped out is shown where something can be") {
    TopSnapshot top = two_guests();
    const auto shows = [&](const char* text, size_t columns) {
        const auto page = top_page(top, TopView{columns, 24, 0});
        return std::ranges::any_of(page, [&](const std::string& line) {
            CHECK(line.size() <= columns);
            return line.find(text) != std::string::npos;
        });
    };
    CHECK_FALSE(shows("SWAP", 120));
    top.guests[0].what.swapped = 40 * kMiB;
    for (const size_t columns : {size_t{80}, size_t{120}}) {
        CHECK(shows("SWAP", columns));
        CHECK(shows(" 40M", columns));
    }
    CHECK(to_json(top).find("\"swapped\": 41943040") != std::string::npos);
}
