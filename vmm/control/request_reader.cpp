#include "vmm/control/request_reader.h"

#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/rfc7230.hpp>
#include <boost/beast/http/string_body.hpp>

namespace carrel::control {

namespace http = boost::beast::http;

struct RequestReader::Parser {
    http::request_parser<http::string_body> http;
    Parser() {
        http.eager(true);
        http.header_limit(kMostHead);
        http.body_limit(kMostBody);
    }
};

RequestReader::RequestReader() : parser_(std::make_unique<Parser>()) {}
RequestReader::~RequestReader() = default;

Result<std::optional<Request>> RequestReader::next() {
    boost::beast::error_code error;
    auto& http = parser_->http;
    while (!pending_.empty() && !http.is_done()) {
        const size_t used = http.put(boost::asio::buffer(pending_), error);
        pending_.erase(0, used);
        if (error == http::error::need_more) break;
        if (error) return usage_error("the request can't be read: " + error.message());
        if (used == 0) break;
    }
    if (!http.is_done()) return std::optional<Request>();
    auto message = http.release();
    Request request;
    request.method = std::string(message.method_string());
    request.target = std::string(message.target());
    request.keep_alive = message.keep_alive();
    if (http::token_list(message[http::field::connection]).exists("upgrade"))
        request.upgrade = std::string(message[http::field::upgrade]);
    request.body = std::move(message.body());
    parser_ = std::make_unique<Parser>();
    return std::optional(std::move(request));
}

}  // namespace carrel::control
