// RequestReader: bytes from a socket into requests. Whoever sends may be slow, broken or endless: what is
// kept of him is bounded.
#pragma once

#include <memory>
#include <optional>
#include <span>
#include <string>

#include "vmm/control/http_message.h"

namespace carrel::control {

class RequestReader {
  public:
    static constexpr size_t kMostHead = 8 * 1024;
    static constexpr size_t kMostBody = size_t{1} << 20;

    RequestReader();
    ~RequestReader();
    RequestReader(const RequestReader&) = delete;
    RequestReader& operator=(const RequestReader&) = delete;

    void add(std::string_view bytes) { pending_ += bytes; }
    // The next one that is there whole; nothing: more has to come. The error: the connection is of no use any
    // more.
    Result<std::optional<Request>> next();
    // What came behind it, which isn't a request any more (an upgrade).
    std::string take_rest() { return std::move(pending_); }

  private:
    struct Parser;
    std::string pending_;
    std::unique_ptr<Parser> parser_;
};

}  // namespace carrel::control
