#include <algorithm>

#include "tests/catch.h"
#include "vmm/control/request_reader.h"
#include "vmm/control/tables.h"

using namespace carrel::control;

namespace {

// What comes out of these bytes, given in pieces of so many.
struct Read {
    std::vector<Request> requests;
    bool broken = false;
};

Read read(std::string_view bytes, size_t piece) {
    Read result;
    RequestReader reader;
    for (size_t at = 0; at < bytes.size() && !result.broken; at += piece) {
        reader.add(bytes.substr(at, piece));
        for (;;) {
            auto next = reader.next();
            result.broken = !next.ok();
            if (result.broken || !next->has_value()) break;
            result.requests.push_back(std::move(**next));
        }
    }
    return result;
}

constexpr std::string_view kTwo =
    "POST /guests HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\n{ }"
    "GET /guests/a/console HTTP/1.1\r\nConnection: upgrade\r\nUpgrade: carrel-console\r\n\r\n";

}  // namespace

TEST_CASE("control: requests are the same however their bytes come") {
    for (const size_t piece : {1u, 2u, 3u, 7u, 64u, 1000u}) {
        const Read two = read(kTwo, piece);
        REQUIRE(two.requests.size() == 2);
        CHECK(two.requests[0].method == "POST");
        CHECK(two.requests[0].target == "/guests");
        CHECK(two.requests[0].body == "{ }");
        CHECK(two.requests[0].keep_alive);
        CHECK(two.requests[1].upgrade == "carrel-console");
        CHECK(two.requests[1].body.empty());
    }
}

TEST_CASE("control: what is kept of a client is bounded") {
    CHECK(read("GET / HTTP/1.1\r\nX: " + std::string(RequestReader::kMostHead, 'x'), 512).broken);
    const std::string large = std::to_string(RequestReader::kMostBody + 1);
    CHECK(read("POST / HTTP/1.1\r\nContent-Length: " + large + "\r\n\r\n{", 512).broken);
    const std::string fits = std::to_string(RequestReader::kMostBody);
    const std::string body(RequestReader::kMostBody, ' ');
    CHECK(read("POST / HTTP/1.1\r\nContent-Length: " + fits + "\r\n\r\n" + body, 65536).requests.size() == 1);
}

TEST_CASE("control: what is no request is refused") {
    for (const std::string_view bytes : {"\x01\x02\r\n\r\n", "GET\r\n\r\n", "GET / HTTP/9.9\r\n\r\n",
                                         "GET / HTTP/1.1\r\nContent-Length: -1\r\n\r\n"})
        CHECK(read(bytes, 3).broken);
}

TEST_CASE("control: an answer has its length, and a chunk its own") {
    const std::string text = text_of(Answer{Status::kNotFound, "{}\n", false}, true);
    CHECK(text.starts_with("HTTP/1.1 404 Not Found\r\n"));
    CHECK(text.find("Content-Length: 3\r\n") != std::string::npos);
    CHECK(text.ends_with("\r\n\r\n{}\n"));
    CHECK(text_of(Answer{}, false).find("Connection: close\r\n") != std::string::npos);
    CHECK(chunk("seventeen letters") == "11\r\nseventeen letters\r\n");
    CHECK(stream_head().find("Transfer-Encoding: chunked\r\n") != std::string::npos);
    CHECK(switching_head().starts_with("HTTP/1.1 101 "));
}

TEST_CASE("control: tables stand whatever a host answers") {
    for (const char* const json :
         {"", "[]", "{}", "null", "{\"guests\": 3}", "{\"vcpus\": [1], \"nets\": [2]}"}) {
        CHECK_FALSE(guests_table(json).empty());
        CHECK_FALSE(guest_text(json).empty());
        CHECK_FALSE(host_table(json).empty());
        CHECK_FALSE(stats_text(json).empty());
        CHECK_FALSE(event_text(json).empty());
    }
    CHECK(merged({"{\"a\":1}", "{\"b\":null}"}).value() == "{\"a\":1,\"b\":null}");
    CHECK_FALSE(merged({"{\"a\":1}", "{\"a\":2}"}).ok());
}
