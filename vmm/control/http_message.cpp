#include "vmm/control/http_message.h"

#include <fmt/format.h>

#include <boost/beast/http/message.hpp>
#include <boost/beast/http/serializer.hpp>
#include <boost/beast/http/string_body.hpp>

namespace carrel::control {
namespace {

namespace http = boost::beast::http;
constexpr unsigned kHttp11 = 11;

// What `serializer` gives, in one piece.
template <class Serializer>
std::string serialized(Serializer& serializer, bool head_only) {
    std::string text;
    boost::beast::error_code error;
    serializer.split(head_only);
    while (!(head_only ? serializer.is_header_done() : serializer.is_done())) {
        serializer.next(error, [&](boost::beast::error_code&, const auto& buffers) {
            size_t size = 0;
            for (auto at = boost::asio::buffer_sequence_begin(buffers);
                 at != boost::asio::buffer_sequence_end(buffers); ++at) {
                const boost::asio::const_buffer piece = *at;
                text.append(static_cast<const char*>(piece.data()), piece.size());
                size += piece.size();
            }
            serializer.consume(size);
        });
        if (error) break;
    }
    return text;
}

std::string head_of(http::response<http::string_body>& response) {
    http::response_serializer<http::string_body> serializer(response);
    return serialized(serializer, true);
}

}  // namespace

std::string text_of(const Answer& answer, bool keep_alive) {
    http::response<http::string_body> response(static_cast<http::status>(answer.status), kHttp11);
    response.set(http::field::content_type, answer.plain ? "application/octet-stream" : "application/json");
    response.keep_alive(keep_alive);
    response.body() = answer.body;
    response.prepare_payload();
    http::response_serializer<http::string_body> serializer(response);
    return serialized(serializer, false);
}

std::string text_of(const Request& request) {
    http::request<http::string_body> message;
    message.version(kHttp11);
    message.method_string(request.method);
    message.target(request.target);
    message.set(http::field::host, "carrel");
    if (!request.upgrade.empty()) {
        message.set(http::field::connection, "upgrade");
        message.set(http::field::upgrade, request.upgrade);
    }
    message.body() = request.body;
    message.prepare_payload();
    http::request_serializer<http::string_body> serializer(message);
    return serialized(serializer, false);
}

std::string stream_head() {
    http::response<http::string_body> response(http::status::ok, kHttp11);
    response.set(http::field::content_type, "application/x-ndjson");
    response.chunked(true);
    return head_of(response);
}

std::string switching_head() {
    http::response<http::string_body> response(http::status::switching_protocols, kHttp11);
    response.set(http::field::connection, "upgrade");
    response.set(http::field::upgrade, std::string(kConsoleProtocol));
    return head_of(response);
}

std::string chunk(std::string_view bytes) {
    return fmt::format("{:x}\r\n{}\r\n", bytes.size(), bytes);
}

}  // namespace carrel::control
