// An HTTP/1.1 request and its answer (RFC 9110, RFC 9112), as far as the control socket speaks it.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "vmm/base/result.h"

namespace carrel::control {

struct Request {
    std::string method;  // "GET"
    std::string target;  // "/guests/web"
    std::string body;
    std::string upgrade;  // the protocol asked for; empty: none
    bool keep_alive = true;
};

enum class Status : uint16_t {
    kSwitching = 101,
    kOk = 200,
    kCreated = 201,
    kBadRequest = 400,
    kNotFound = 404,
    kConflict = 409,  // it makes no sense in this state
    kHostFailed = 503,
};

struct Answer {
    Status status = Status::kOk;
    std::string body;  // JSON, or text where `plain`
    bool plain = false;
};

inline constexpr std::string_view kConsoleProtocol = "carrel-console";

// Whole, as it goes over the socket.
std::string text_of(const Answer& answer, bool keep_alive);
std::string text_of(const Request& request);
// What comes before a stream: of chunks, or of raw bytes in both directions.
std::string stream_head();
std::string switching_head();
std::string chunk(std::string_view bytes);

}  // namespace carrel::control
